// SQL Server over the wire: the product's own way of connecting, asking and giving up, against TDS servers that are healthy or
// ill (tds-server.ts). What the queries find is tested elsewhere; here each is answered by its text.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import forge from 'node-forge';
import { collect, type Database, type DatabaseResult, limits, type Query, type Row, rowColumns } from '../worker.ts';
import { authority, certificate } from './certificates.ts';
import { readReport, runCli } from './command.ts';
import { dropping, random, refusing, serve, withLimits } from './fault-servers.ts';
import { startMariadb, startMysql } from './servers.ts';
import {
  type Answer,
  type ColumnType,
  type Fault,
  type ResultSet,
  startTds,
  type TdsOptions,
  type TdsServer,
} from './tds-server.ts';

const here = (path: string) => new URL(`../${path}`, import.meta.url);
const queries = {
  server: readFileSync(here('queries/mssql-server.sql'), 'utf8'),
  administrators: readFileSync(here('queries/mssql-server-administrators.sql'), 'utf8'),
  databases: readFileSync(here('queries/mssql-databases.sql'), 'utf8'),
  inside: readFileSync(here('queries/mssql-database-administrators.sql'), 'utf8'),
};

const root = authority('wire test authority');
const own = certificate({ authority: root, names: ['localhost'], addresses: ['127.0.0.1'] });
const password = 'S3cret, "quoted" & ☃';

const started: { stop(): Promise<void> }[] = [];
after(() => Promise.all(started.map(server => server.stop())));

async function start(options: TdsOptions): Promise<TdsServer> {
  const server = await startTds({ certificate: own, answer: answers(['master']), ...options });
  started.push(server);
  return server;
}

const texts = (...names: string[]) => names.map(name => [name, 'nvarchar(max)'] as [string, ColumnType]);
const record = (given: Partial<Row>) => {
  const row: Partial<Row> = { ...(given.result === 'admin' && { extent: 'full' }), ...given };
  return rowColumns.map(column => row[column] ?? null);
};
const quoted = (name: string) => `[${name.replaceAll(']', ']]')}].sys.sp_executesql`;

/** What a healthy server with these databases answers; `instead` may answer in one of them. */
function answers(names: string[], instead: (name: string) => Answer | undefined = () => undefined) {
  const byProcedure = new Map(names.map(name => [quoted(name), name]));
  return (sql: string, parameters: Record<string, unknown>): Answer => {
    if (sql === queries.server) {
      const columns = texts('engine', 'engine_version', 'server_name', 'server_id', 'refused');
      return { sets: [{ columns, rows: [['mssql', '16.0.4175.1', 'SQL1', 'MACHINE\\SQL1', '']] }] };
    }
    if (sql === queries.administrators) {
      const rows = [record({ result: 'admin', scope: 'server', principal: 'sa', privileges: 'sysadmin' })];
      const nothing = { columns: texts(...rowColumns), rows: [] };
      return { sets: [nothing, { columns: texts(...rowColumns), rows }] };
    }
    if (sql === queries.databases) {
      const rows = names.map(name => [name, quoted(name), 'yes', '']);
      return { sets: [{ columns: texts('name', 'procedure_name', 'readable', 'detail'), rows }] };
    }
    const name = byProcedure.get(String(parameters['@procedure']));
    if (sql !== 'EXEC @procedure @statement' || parameters['@statement'] !== queries.inside || name === undefined) {
      return { error: { number: 50000, text: `nobody should ask: ${sql.slice(0, 200)}` } };
    }
    return instead(name) ?? inside(name);
  };
}

/** What a healthy database answers. */
const inside = (name: string): { sets: ResultSet[] } => {
  const rows = [record({ result: 'admin', scope: `database:${name}`, principal: 'dbo', privileges: 'owner' })];
  return { sets: [{ columns: texts(...rowColumns), rows }] };
};

type Asked = {
  server: { port: number };
  tls?: Database['tls'];
  host?: string;
  ca?: string | undefined;
  password?: string;
  remaining?: string[];
};

/** Reads all of them in one call, as the product does, and gives their results in the order asked. */
async function readAll(asked: Asked[]): Promise<DatabaseResult[]> {
  const results = new Map<string, DatabaseResult>();
  const databases = asked.map(
    ({ server, tls = 'verify', host = 'localhost', remaining }, index): Database => ({
      ...(remaining && { remaining }),
      id: String(index),
      account: '111122223333',
      account_name: '',
      region: 'us-east-1',
      engine: 'mssql',
      host,
      port: server.port,
      credentials: 'env:X',
      tls,
      worker: 'db-admin-report-worker',
    }),
  );
  await collect(databases, {
    credentials: async database => {
      return { username: 'auditor', ...{ password, ca: root.ca, ...asked[Number(database.id)] } };
    },
    queries: new Map<string, Query>(),
    done: result => results.set(result.id, result),
  });
  assert.ok(!JSON.stringify([...results.values()]).includes(password.slice(0, 6)), 'the password is in a result');
  return databases.map(({ id }) => results.get(id)!);
}

const read = async (asked: Asked) => (await readAll([asked]))[0]!;

const heard = (server: TdsServer, event: string) => server.log.filter(entry => entry.event === event);
const scopes = (result: DatabaseResult, kind: string) =>
  result.rows.filter(row => row.result === kind).map(row => row.scope);

// Limits that a test can wait for, not too short: on a busy machine a healthy server needs seconds, too.
const impatient = { connect: [6000, 1000], query: 3000, database: 60_000 };
const short = { query: 3000, database: 60_000 };

describe('a healthy server', () => {
  const hostile = ['master', "o'brien", 'a]b]]c', 'line\nbreak', 'snow☃man', '[x].sys.sp_executesql', '"; DROP'];

  test('is read over one connection, each database by the name that the server quoted', async () => {
    const server = await start({ answer: answers(hostile) });
    const result = await read({ server });
    assert.deepEqual(
      [result.result, result.engine, result.engine_version, result.server_name, result.server_id, result.detail],
      ['admin', 'mssql', '16.0.4175.1', 'SQL1', 'MACHINE\\SQL1', ''],
    );
    assert.deepEqual(scopes(result, 'admin'), ['server', ...hostile.map(name => `database:${name}`)]);
    assert.equal(result.queries.length, 4);
    assert.equal(heard(server, 'connect').length, 1);
    assert.deepEqual(heard(server, 'login'), [
      {
        client: 1,
        event: 'login',
        user: 'auditor',
        password,
        application: 'db-admin-report',
        server: 'localhost',
        database: 'master',
        readOnlyIntent: false,
        encrypted: 'TLSv1.2',
      },
    ]);
    assert.equal((heard(server, 'initial').at(-1) as { sql?: string }).sql, 'SET LOCK_TIMEOUT 10000');
  });

  test('with 500 databases too, and nothing is left open', async () => {
    const names = Array.from({ length: 500 }, (_, index) => `db ${index}`);
    const server = await start({ answer: answers(names) });
    const result = await read({ server });
    assert.equal(result.result, 'admin');
    assert.deepEqual(scopes(result, 'admin'), ['server', ...names.map(name => `database:${name}`)]);
    assert.equal(heard(server, 'connect').length, 1);
    for (let tries = 0; heard(server, 'close').length === 0 && tries < 100; tries++) await pause(10);
    assert.equal(heard(server, 'close').length, 1); // by the client: the server still runs
  });

  test('chains are one row only where they are the same, whatever is in a name', async () => {
    const chains: Partial<Row>[] = ['\0', '\n', ',', '","', ' > '].flatMap(between => [
      { principal: 'a', granted_through: `b${between}c` },
      { principal: `a${between}b`, granted_through: 'c' },
    ]);
    const rows = chains.map(chain => record({ result: 'admin', scope: 'server', privileges: 'sysadmin', ...chain }));
    const server = await start({
      answer: (sql, parameters) =>
        sql === queries.administrators
          ? { sets: [{ columns: texts(...rowColumns), rows: [...rows, ...rows] }] }
          : answers([])(sql, parameters),
    });
    const result = await read({ server });
    const admins = result.rows.filter(row => row.result === 'admin');
    assert.deepEqual(
      admins.map(({ principal, granted_through }) => ({ principal, granted_through })),
      chains,
    );
  });

  test('that is no SQL Server that the queries know is refused with its own words', async () => {
    const refused = 'this is SQL Azure, not SQL Server';
    const server = await start({ answer: () => [{ columns: texts('engine', 'refused'), rows: [['mssql', refused]] }] });
    const result = await read({ server });
    assert.deepEqual([result.result, result.detail], ['failed', refused]);
    assert.equal(heard(server, 'query').length, 1);
  });

  test('a database that may not be read is incomplete by name, with the reason that the server gave', async () => {
    const usual = answers(['master', 'sales']);
    const server = await start({
      answer: (sql, parameters) => {
        if (sql !== queries.databases) return usual(sql, parameters);
        const columns = texts('name', 'procedure_name', 'readable', 'detail');
        const closed = ['hr', quoted('hr'), 'no', 'The database is OFFLINE: ALTER DATABASE [hr] SET ONLINE;'];
        return { sets: [{ columns, rows: [closed, ['sales', quoted('sales'), 'yes', null]] }] };
      },
    });
    const result = await read({ server });
    assert.equal(result.result, 'incomplete');
    assert.match(result.detail, /SET ONLINE/);
    assert.deepEqual(scopes(result, 'incomplete'), ['database:hr']);
    assert.deepEqual(scopes(result, 'admin'), ['server', 'database:sales']);
  });

  test('databases of Amazon are a note of the server, not incomplete', async () => {
    const usual = answers(['master']);
    const server = await start({
      answer: (sql, parameters) => {
        if (sql !== queries.databases) return usual(sql, parameters);
        const columns = texts('name', 'procedure_name', 'readable', 'detail');
        const amazon = ['rdsadmin', quoted('rdsadmin'), 'provider', 'rdsadmin is Amazon RDS own: nobody enters it'];
        return { sets: [{ columns, rows: [amazon, ['master', quoted('master'), 'yes', null]] }] };
      },
    });
    const result = await read({ server });
    assert.deepEqual(
      [result.result, result.detail, result.login],
      ['admin', 'rdsadmin is Amazon RDS own: nobody enters it', 'auditor'],
    );
    assert.equal(result.rows[0]!.detail, 'rdsadmin is Amazon RDS own: nobody enters it');
    assert.deepEqual(scopes(result, 'admin'), ['server', 'database:master']);
  });

  test('a replica that takes connections with read intent alone is incomplete, with what to do', async () => {
    const closed = answers(['master', 'shop'], name =>
      name === 'shop'
        ? { error: { number: 978, text: 'The target database (shop) is in an availability group' } }
        : undefined,
    );
    const result = await read({ server: await start({ answer: closed }) });
    assert.deepEqual(scopes(result, 'incomplete'), ['database:shop']);
    assert.match(result.detail, /primary or the listener.*error 978/);
  });

  for (const [what, sets] of [
    ['an empty list of databases', [{ columns: texts('name', 'procedure_name', 'readable', 'detail'), rows: [] }]],
    ['no answer about its databases', []],
  ] as [string, ResultSet[]][]) {
    test(`${what} is noticed`, async () => {
      const usual = answers(['master']);
      const server = await start({
        answer: (sql, parameters) => (sql === queries.databases ? { sets } : usual(sql, parameters)),
      });
      const result = await read({ server });
      assert.equal(result.result, 'incomplete');
      assert.match(result.detail, /its databases were not read/);
      assert.deepEqual(scopes(result, 'admin'), ['server']);
    });
  }
});

describe('TLS', () => {
  const stranger = authority('an authority that nobody knows');
  const middle = authority('an authority in the middle', root);

  for (const [what, made, asked, expected] of [
    ['the right name', { authority: root, names: ['localhost'] }, {}, 'admin'],
    ['a chain with an authority in the middle', { authority: middle, names: ['localhost'] }, {}, 'admin'],
    ['another name', { authority: root, names: ['db.example'] }, {}, /not for this host.*DNS:db\.example/],
    ['an address as host', { authority: root, names: [], addresses: ['127.0.0.1'] }, { host: '127.0.0.1' }, 'admin'],
    [
      'an address as host, another in the certificate',
      { authority: root, names: ['localhost'], addresses: ['127.0.0.2'] },
      { host: '127.0.0.1' },
      /not for this host/,
    ],
    [
      'an address as host, that address as a name in the certificate',
      { authority: root, names: ['127.0.0.1'] },
      { host: '127.0.0.1' },
      /not for this host/,
    ],
    ['an expired certificate', { authority: root, names: ['localhost'], expired: true }, {}, /has expired/],
    ['an unknown authority', { authority: stranger, names: ['localhost'] }, {}, /unknown authority.*"ca"/],
    [
      'no authorities but the built-in ones',
      { authority: root, names: ['localhost'] },
      { ca: undefined },
      /unknown authority/,
    ],
    [
      'an unknown authority, another name, expired, but trusted',
      { authority: stranger, names: ['db.example'], expired: true },
      { tls: 'trust' },
      'admin',
    ],
  ] as const) {
    test(`${what}: ${expected === 'admin' ? 'read' : 'refused, and no password is sent'}`, async () => {
      const server = await start({
        certificate: certificate({
          ...made,
          names: [...made.names],
          addresses: [...('addresses' in made ? made.addresses : [])],
        }),
      });
      const result = await read({ server, ...asked });
      if (expected === 'admin') assert.equal(result.result, 'admin', result.detail);
      else {
        assert.equal(result.result, 'failed');
        assert.match(result.detail, expected);
        assert.match(result.detail, /^TLS refused/);
        assert.deepEqual(heard(server, 'login'), []);
        assert.equal(heard(server, 'connect').length, 1); // a bad certificate is not tried again
      }
    });
  }

  for (const tls of ['verify', 'trust', 'off'] as const) {
    for (const encryption of ['OFF', 'ON', 'NOT_SUP', 'REQ'] as const) {
      const offered = encryption === 'ON' || encryption === 'REQ';
      const refused = offered === (tls === 'off');
      test(`${tls}, the server answers ${encryption}: ${refused ? 'no password is sent' : offered ? 'encrypted' : 'in the clear'}`, async () => {
        const server = await start({ encryption });
        const result = await read({ server, tls });
        if (refused) {
          assert.equal(result.result, 'failed');
          assert.match(result.detail, offered ? /demands encryption/ : /offers no encryption; no password was sent/);
          assert.deepEqual(heard(server, 'login'), []);
          assert.equal(heard(server, 'connect').length, 1);
        } else {
          assert.equal(result.result, 'admin', result.detail);
          const logins = heard(server, 'login') as { encrypted?: string | null }[];
          assert.deepEqual(
            logins.map(login => login.encrypted),
            [offered ? 'TLSv1.2' : null],
          );
        }
      });
    }
  }

  test('trust takes the weak certificate that SQL Server made for itself, verify does not', async () => {
    const weak = selfMade({ bits: 1024, digest: forge.md.sha1.create() });
    const { cert } = weak;
    const server = await start({ certificate: weak, ciphers: 'DEFAULT@SECLEVEL=0' });
    assert.equal((await read({ server, tls: 'trust' })).result, 'admin');
    assert.match((await read({ server, tls: 'verify', ca: cert })).detail, /^TLS refused/);
    const strong = selfMade();
    const atEachStart = await start({ certificate: strong });
    const { detail } = await read({ server: atEachStart });
    assert.match(detail, /makes another at each start.*"tls": "trust"/);
    assert.doesNotMatch(detail, /"ca"/);
    assert.equal(heard(server, 'login').length, 1);
  });
});

/** A certificate as SQL Server makes it for itself at each start. */
function selfMade({ bits = 2048, digest = forge.md.sha256.create() as forge.md.MessageDigest } = {}) {
  const { privateKey, publicKey } = forge.pki.rsa.generateKeyPair(bits);
  const made = forge.pki.createCertificate();
  made.publicKey = publicKey;
  made.serialNumber = '01';
  made.validity.notBefore = new Date(Date.now() - 86_400_000);
  made.validity.notAfter = new Date(Date.now() + 86_400_000);
  made.setSubject([{ name: 'commonName', value: 'SSL_Self_Signed_Fallback' }]);
  made.setIssuer([{ name: 'commonName', value: 'SSL_Self_Signed_Fallback' }]);
  made.sign(privateKey, digest);
  return { key: forge.pki.privateKeyToPem(privateKey), cert: forge.pki.certificateToPem(made) };
}

test('a server that takes strict encryption alone is told by what it does with the first word', async () => {
  const closing = await serve(socket => void socket.once('data', () => socket.end()));
  const alerting = await serve(
    socket => void socket.once('data', () => socket.end(Buffer.from('15030100020246', 'hex'))),
  );
  started.push(closing, alerting);
  for (const result of await readAll([{ server: closing }, { server: alerting }]))
    assert.match(result.detail, /strict encryption \(TDS 8\) alone.*Force Strict Encryption/);
});

describe('what a server says is not shown where it quotes the password, and the words of the tool always are', () => {
  for (const [what, text] of [
    ['a refusal', `Login failed, ${password} is wrong`],
    ['a password of one letter', `Login failed for user 'auditor'.`],
  ] as const) {
    test(what, async () => {
      const server = await start({ loginError: { number: 18456, text, severity: 14 } });
      const result = await read({ server, password: what === 'a refusal' ? password : 'a' });
      assert.match(result.detail, /^login failed: wrong user name or password.*holds the password and is not shown/);
    });
  }

  test('a password that is a word of the tool shows itself nowhere', async () => {
    const server = await start({ loginError: { number: 18456, text: 'Login failed.', severity: 14 } });
    const result = await read({ server, password: 'wrong' });
    assert.match(result.detail, /^login failed: wrong user name or password.*Login failed\./);
  });

  test('in the answer to a query', async () => {
    const quoting = answers(['a', 'b'], name =>
      name === 'b' ? { error: { number: 50000, text: password } } : undefined,
    );
    const result = await read({ server: await start({ answer: quoting }) });
    assert.match(result.detail, /not shown \(SQL Server error 50000\)/);
  });
});

test('a log-in that is not answered is sent once, however long the silence', async () => {
  const silent = await start({ fault: { at: 'login', how: 'stall' } });
  const result = await withLimits({ connect: [1500, 1500] }, () => read({ server: silent }));
  assert.match(result.detail, /timed out.*connected, but the log-in was not answered/);
  assert.equal(heard(silent, 'login').length, 1);
});

describe('a log-in that is refused is tried once, and the reason is in words', () => {
  for (const [number, expected] of [
    [18456, /login failed: wrong user name or password/],
    [18470, /said by the server 18470.*error 18470/],
    [18452, /Windows logins only/],
    [4060, /said by the server 4060.*error 4060/],
    [40613, /said by the server 40613.*error 40613/], // one that the driver would try again
    [99999, /said by the server 99999.*error 99999/],
  ] as const) {
    test(String(number), async () => {
      const server = await start({ loginError: { number, text: `said by the server ${number}`, severity: 14 } });
      const result = await read({ server });
      assert.equal(result.result, 'failed');
      assert.match(result.detail, expected);
      assert.equal(heard(server, 'login').length, 1);
    });
  }

  test('a wrong password', async () => {
    const server = await start({ users: { auditor: 'another' } });
    assert.match((await read({ server })).detail, /login failed/);
    assert.equal(heard(server, 'login').length, 1);
  });

  test('too many connections, which pass, are tried three times', async () => {
    const server = await start({ loginError: { number: 17809, text: 'the maximum number of connections' } });
    assert.match((await read({ server })).detail, /maximum number of connections/);
    assert.equal(heard(server, 'login').length, 3);
  });
});

test('no such host, and nobody at that port', async () => {
  const nobody = await refusing();
  const [unknown, refused] = await readAll([{ server: nobody, host: 'no-such-host.invalid' }, { server: nobody }]);
  assert.match(unknown!.detail, /host name not found|name server did not answer/);
  assert.match(refused!.detail, /connection refused/);
});

test('a server that sends its clients elsewhere is not followed: the credential is for this host', async () => {
  const elsewhere = await start({});
  const server = await start({ route: { server: '127.0.0.1', port: elsewhere.port } });
  const result = await read({ server });
  assert.equal(result.result, 'failed');
  assert.match(result.detail, /sends its clients to another one/);
  assert.deepEqual(elsewhere.log, []);
});

for (const packetSize of ['4', '0', '-1', '99999999', 'x']) {
  test(`a server that names a packet size of ${packetSize} does not hang the process`, async () => {
    const server = await start({ packetSize });
    assert.equal((await read({ server })).result, 'failed');
  });
}

describe('faults', () => {
  // Each fault in each place and TLS mode, all at the same time with healthy servers among them.
  const places: Fault['at'][] = ['accept', 'prelogin', 'tls', 'login', 'initial', 'query', 'result'];
  const ways: Fault['how'][] = ['stall', 'close', 'reset', 'garbage', 'malformed', 'http', 'drip', 'endless'];
  const modes: Database['tls'][] = ['verify', 'trust', 'off'];
  const words = /timed out|connection (reset|closed)|ended the connection|cannot be understood|TLS refused/;

  test('each in its own row, in words, within its limits, and a healthy server beside them is read', async () => {
    const cases = modes.flatMap(tls =>
      places.filter(at => at !== 'tls' || tls !== 'off').flatMap(at => ways.map(how => ({ tls, at, how }))),
    );
    const servers = await Promise.all(
      cases.map(({ tls, at, how }) =>
        start({ encryption: tls === 'off' ? 'NOT_SUP' : 'ON', fault: { at, how }, dripEvery: 150 }),
      ),
    );
    const healthy = await Promise.all([start({}), start({}), start({})]);
    const asked: Asked[] = cases.map(({ tls }, index) => ({ tls, server: servers[index]! }));
    asked.splice(100, 0, { server: healthy[2]! });
    asked.splice(50, 0, { server: healthy[1]! });
    asked.unshift({ server: healthy[0]! });
    const begun = Date.now();
    const results = await withLimits(impatient, () => readAll(asked));
    const took = Date.now() - begun;

    for (const [index, { server }] of asked.entries()) {
      const result = results[index]!;
      const place = servers.indexOf(server as TdsServer);
      if (place < 0) {
        assert.equal(result.result, 'admin', result.detail);
        continue;
      }
      const name = JSON.stringify({
        ...cases[place],
        result: result.result,
        detail: result.detail,
        ms: result.duration_ms,
      });
      assert.equal(result.result, 'failed', name);
      assert.match(result.detail, words, name);
      assert.ok(!/[\n\r]/.test(result.detail) && result.detail.length < 400, name);
      const { at, how } = cases[place]!;
      const logins = heard(servers[place]!, 'login').length;
      // Only silence is tried again once the server has answered something.
      const silent = ['stall', 'garbage', 'drip'].includes(how);
      assert.ok(logins <= (silent && (at === 'login' || at === 'initial') ? 2 : 1), `${logins} log-ins: ${name}`);
    }
    // 160 servers, half of them silent for 7 s: one after the other they would take nine minutes.
    assert.ok(took < 60_000, `${took} ms`);
  });
});

describe('an ill server', { concurrency: 3 }, () => {
  const usual = { ...limits };
  before(() => Object.assign(limits, impatient));
  after(() => Object.assign(limits, usual));

  test('an error that the driver throws out of turn fails its own server, and that alone', async () => {
    const stalling = answers(['a', 'b'], name => (name === 'b' ? { fault: 'stall' } : undefined));
    const servers = [await start({ attention: 'malformed', answer: stalling }), await start({})];
    const [ill, well] = await readAll(servers.map(server => ({ server })));
    assert.equal(ill!.result, 'failed');
    assert.match(ill!.detail, /cannot be understood/);
    assert.equal(well!.result, 'admin');
  });

  test('a host that drops packets is given up, and what to check is said', async () => {
    const server = await dropping();
    started.push(server);
    const result = await read({ server });
    assert.match(result.detail, /timed out.*no connection: check security groups/);
    assert.ok(result.duration_ms >= 6900 && result.duration_ms < 12_000, String(result.duration_ms));
  });

  test('a silent server is asked twice, with both limits, and a query is given up at its own', async () => {
    assert.deepEqual([usual.connect, usual.query, usual.database], [[10_000, 30_000], 60_000, 240_000]);
    const [silent, stalling] = [
      await start({ fault: { at: 'prelogin', how: 'stall' } }),
      await start({ fault: { at: 'query', how: 'stall' } }),
    ];
    const [first, second] = await readAll([{ server: silent }, { server: stalling }]);
    assert.ok(first!.duration_ms >= 6900 && first!.duration_ms < 12_000, String(first!.duration_ms));
    assert.match(first!.detail, /timed out.*connected, but the server says nothing/);
    assert.equal(heard(silent, 'connect').length, 2);
    assert.ok(second!.duration_ms >= 3000 && second!.duration_ms < 6500, String(second!.duration_ms));
    assert.equal(heard(stalling, 'attention').length, 1);
  });
});

describe('a fault in one database of five costs that one alone', { concurrency: 8 }, () => {
  const usual = { ...limits };
  before(() => Object.assign(limits, short));
  after(() => Object.assign(limits, usual));
  const names = ['a', 'b', 'c', 'd', 'e'];
  const whole = {
    columns: texts(...rowColumns),
    rows: [record({ result: 'admin', scope: 'database:c', principal: 'early' })],
  };
  const cases: [string, Answer, RegExp, TdsOptions?][] = [
    ['may not enter', { error: { number: 916, text: 'not able to access "c"' } }, /not able to access.*error 916/],
    [
      'a severe error',
      { error: { number: 824, text: 'I/O error', severity: 24 }, hangUp: true },
      /I\/O error.*error 824/,
    ],
    ['stall', { fault: 'stall' }, /timed out.*3 s/],
    ['stall, the attention ignored', { fault: 'stall' }, /timed out/, { attention: 'ignored' }],
    ['close', { fault: 'close' }, /connection (reset|closed)/],
    ['reset', { fault: 'reset' }, /connection (reset|closed)/],
    ['close in the middle', { sets: [whole], fault: 'close', half: true }, /connection (reset|closed)/],
    ['stall in the middle', { sets: [whole], fault: 'stall', half: true }, /timed out/],
    [
      'garbage in the middle',
      { sets: [whole], fault: 'garbage', half: true },
      /cannot be understood|timed out|columns/,
    ],
    ['malformed', { sets: [whole], fault: 'malformed' }, /cannot be understood|timed out/],
    ['rows without end', { fault: 'endless' }, /timed out/],
    ['no result set', { sets: [] }, /without a result/],
    ['an answer without its end', { sets: [whole], unfinished: true }, /cannot be understood.*no end/],
    ['other columns', { sets: [{ columns: texts('x'), rows: [['1']] }] }, /columns x/],
    ['an error after rows', { sets: [whole], error: { number: 1205, text: 'deadlock victim' } }, /deadlock victim/],
  ];
  for (const [what, answer, expected, options] of cases) {
    test(what, async () => {
      const server = await start({ answer: answers(names, name => (name === 'c' ? answer : undefined)), ...options });
      const result = await read({ server });
      assert.equal(result.result, 'incomplete', result.detail);
      assert.deepEqual(scopes(result, 'incomplete'), ['database:c'], result.detail);
      assert.match(result.detail, expected);
      const others = ['server', 'database:a', 'database:b', 'database:d', 'database:e'];
      const early = result.rows.some(row => row.principal === 'early'); // what came before the error is kept
      assert.equal(early, what === 'an error after rows' || what === 'an answer without its end');
      assert.deepEqual(
        scopes(result, 'admin').filter(scope => scope !== 'database:c'),
        others,
      );
      assert.ok(heard(server, 'login').length <= 2);
    });
  }

  test('where it comes in every second database, all others are read', async () => {
    const all = [...'abcdefghijklmn'];
    const ill = (name: string) => (name.charCodeAt(0) % 2 === 0 ? ({ fault: 'close' } as const) : undefined);
    const server = await start({ answer: answers(all, ill) });
    const result = await read({ server });
    const [incomplete, read14] = [all.filter(ill), all.filter(name => !ill(name))];
    assert.deepEqual(
      scopes(result, 'incomplete'),
      incomplete.map(name => `database:${name}`),
    );
    assert.deepEqual(scopes(result, 'admin'), ['server', ...read14.map(name => `database:${name}`)]);
  });

  test('where it comes in every database, the server is not asked again and again', async () => {
    const server = await start({ answer: answers([...names, ...'fghij'], () => ({ fault: 'close' })) });
    const result = await read({ server });
    assert.equal(result.result, 'incomplete');
    assert.equal(scopes(result, 'incomplete').length, 10);
    assert.deepEqual(scopes(result, 'admin'), ['server']);
    assert.equal(heard(server, 'login').length, 4);
  });
});

describe('what a server may take', () => {
  const names = [...'abcdefg'];

  test('when its time is over, the rest is named and what was read is kept', async () => {
    const server = await start({ answer: answers(names, name => (name > 'b' ? { fault: 'stall' } : undefined)) });
    const begun = Date.now();
    const result = await withLimits({ ...short, database: 12_000 }, () => read({ server }));
    assert.ok(Date.now() - begun < 12_000);
    assert.deepEqual(scopes(result, 'admin'), ['server', 'database:a', 'database:b']);
    assert.deepEqual(
      scopes(result, 'incomplete'),
      names.slice(2).map(name => `database:${name}`),
    );
    assert.match(result.rows.at(-1)!.detail, /timed out: the time for this server was over/);
  });

  test('what remains is named, and only that is read when it is asked for', async () => {
    const many = Array.from({ length: 30 }, (_, index) => `db${index}`);
    const slow = answers(many, name => ({ ...inside(name), delay: 300 }));
    const server = await start({ answer: slow });
    const read30 = (remaining?: string[]) =>
      withLimits({ ...short, database: 8_000 }, () => read({ server, ...(remaining && { remaining }) }));
    const first = await read30();
    assert.equal(first.result, 'incomplete');
    const remaining = first.remaining ?? [];
    assert.ok(remaining.length > 5 && remaining.length < 25, remaining.join());
    assert.deepEqual(
      scopes(first, 'incomplete'),
      remaining.map(name => `database:${name}`),
    );
    const second = await read30(remaining.slice(0, 5));
    assert.equal(second.result, 'admin', second.detail);
    assert.equal(second.remaining, undefined);
    assert.deepEqual(scopes(second, 'admin'), ['server', ...remaining.slice(0, 5).map(name => `database:${name}`)]);
  });

  test('when its time is over while it stalls, its connection is too', async () => {
    const places = ['accept', 'login', 'query'] as const;
    const servers = await Promise.all(places.map(at => start({ fault: { at, how: 'stall' }, attention: 'ignored' })));
    // 5 s and no shorter: a query gets what is left of them, less what its end may take
    const limited = { connect: [60_000, 60_000], query: 60_000, database: 5000 };
    const results = await withLimits(limited, () => readAll(servers.map(server => ({ server }))));
    for (const [index, server] of servers.entries()) {
      assert.match(results[index]!.detail, /timed out/);
      assert.ok(results[index]!.duration_ms < 7000, String(results[index]!.duration_ms));
      for (let tries = 0; heard(server, 'close').length === 0 && tries < 50; tries++) await pause(10);
      assert.equal(heard(server, 'close').length, 1);
    }
  });

  test('an answer that takes too much memory is cut', async () => {
    const server = await start({ answer: answers(names, name => (name === 'c' ? { fault: 'endless' } : undefined)) });
    const result = await withLimits({ ...short, query: 20_000, received: 50_000 }, () => read({ server }));
    assert.deepEqual(scopes(result, 'incomplete'), ['database:c']);
    assert.match(result.detail, /too large/);
    assert.ok(result.duration_ms < 15_000);
  });
});

test('300 sessions whose answers have bytes altered: each ends as a result of its own, none hangs or ends the process', async t => {
  t.mock.method(console, 'error', () => {}); // the driver says there what it does not know
  const server = await start({ certificate: undefined, answer: answers(['a', 'b', 'c']) });
  const next = random(11);
  const share = () => next() / 2 ** 32;
  const altering = net.createServer(client => {
    const upstream = net.connect(server.port, '127.0.0.1');
    client.pipe(upstream);
    upstream.on('data', (bytes: Buffer) => {
      for (let flips = share() < 0.4 ? 1 + share() * 3 : 0; flips >= 1; flips--) {
        bytes[8 + Math.floor(share() * (bytes.length - 8))] = Math.floor(share() * 256);
      }
      client.write(bytes);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => {}).on('close', () => other.destroy());
    }
  });
  await new Promise<void>(resolve => altering.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = altering.address() as net.AddressInfo;
    const asked = Array.from({ length: 300 }, (): Asked => ({ server: { port }, tls: 'off' }));
    const results = await withLimits({ ...short, connect: [500, 500], query: 500 }, () => readAll(asked));
    assert.equal(results.filter(Boolean).length, 300);
    for (const result of results) {
      // A database is there or it is named: none is lost in silence.
      if (result.result === 'failed') continue;
      if (result.result === 'incomplete') continue;
      assert.ok(
        scopes(result, 'admin').length + result.rows.filter(row => row.result !== 'admin').length >= 4,
        JSON.stringify(result),
      );
    }
    assert.ok(results.some(({ result }) => result === 'admin'));
    assert.ok(results.some(({ result }) => result === 'failed'));
  } finally {
    altering.close();
  }
});

test('the whole tool: healthy and ill servers in one inventory, exit 3, no secret anywhere, and it ends by itself', async () => {
  const refused = { number: 18456, text: "Login failed for user 'auditor'.", severity: 14 };
  const servers: Record<string, TdsServer> = {
    healthy: await start({ answer: answers(['master', 'sales']) }),
    many: await start({ answer: answers(Array.from({ length: 200 }, (_, index) => `db${index}`)) }),
    'wrong-password': await start({ loginError: refused }),
    'wrong-name': await start({ certificate: certificate({ authority: root, names: ['db.example'] }) }),
    'no-tls': await start({ encryption: 'NOT_SUP' }),
    reset: await start({ fault: { at: 'accept', how: 'reset' } }),
    web: await start({ fault: { at: 'accept', how: 'http' } }),
    // These keep their side of the connection open: the tool must not wait for them.
    'malformed-login': await start({ fault: { at: 'login', how: 'malformed' } }),
    'malformed-answer': await start({ fault: { at: 'query', how: 'malformed' } }),
    partly: await start({
      answer: answers(['master', 'hr'], name => (name === 'hr' ? { error: { number: 916, text: 'no' } } : undefined)),
    }),
  };
  const folder = mkdtempSync(join(tmpdir(), 'mssql-wire-'));
  try {
    const databases = Object.entries(servers).map(([id, { port }]) => ({
      id,
      account: '111122223333',
      region: 'us-east-1',
      engine: 'mssql',
      host: 'localhost',
      port,
      credentials: 'env:WIRE_TEST_CREDENTIAL',
    }));
    writeFileSync(join(folder, 'inventory.json'), JSON.stringify({ databases }));
    const begun = Date.now();
    const { code, stdout, stderr } = await runCli(
      ['--local', '--inventory', join(folder, 'inventory.json'), '--out', folder, '--json'],
      { env: { ...process.env, WIRE_TEST_CREDENTIAL: JSON.stringify({ username: 'auditor', password, ca: root.ca }) } },
    );
    assert.equal(code, 3, stderr);
    assert.ok(Date.now() - begun < 35_000); // a silent one would take 40 s
    const summary = JSON.parse(stdout);
    const { total, covered, incomplete, failed } = summary.databases;
    assert.deepEqual({ total, covered, incomplete, failed }, { total: 10, covered: 2, incomplete: 1, failed: 7 });
    const files = readdirSync(folder).filter(name => name.startsWith('db-admins_'));
    assert.equal(files.length, 2);
    const written = files.map(name => readFileSync(join(folder, name), 'utf8')).join('');
    for (const id of Object.keys(servers)) assert.ok(written.includes(id), id);
    for (const text of [stdout, stderr, written])
      assert.ok(!text.includes(password.slice(0, 6)) && !text.includes('BEGIN CERT'));
    assert.equal(heard(servers['wrong-password']!, 'login').length, 1);
    assert.equal(heard(servers.many!, 'login').length, 1);
    for (const id of ['wrong-name', 'no-tls']) assert.deepEqual(heard(servers[id]!, 'login'), []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('one report over MySQL, MariaDB and SQL Server', async () => {
  const [mysql, mariadb, mssql] = await Promise.all([
    startMysql({ certificate: own }),
    startMariadb({ certificate: own }),
    start({ answer: answers(['master', 'shop']) }),
  ]);
  started.push(mysql, mariadb);
  for (const server of [mysql, mariadb]) {
    await server.query(`CREATE USER auditor@'%' IDENTIFIED BY '${password}'`);
    await server.query("GRANT SELECT ON mysql.* TO auditor@'%'");
  }
  const folder = mkdtempSync(join(tmpdir(), 'mixed-'));
  try {
    const common = {
      account: '111122223333',
      region: 'us-east-1',
      host: '127.0.0.1',
      credentials: 'env:MIXED_TEST_CREDENTIAL',
    };
    const databases = [
      { id: 'c-mssql', engine: 'mssql', port: mssql.port, ...common },
      { id: 'b-mariadb', engine: 'mysql', port: mariadb.port, ...common },
      { id: 'a-mysql', engine: 'mysql', port: mysql.port, ...common },
    ];
    writeFileSync(join(folder, 'inventory.json'), JSON.stringify({ databases }));
    const { code, stdout, stderr } = await runCli(
      ['--local', '--inventory', join(folder, 'inventory.json'), '--out', folder, '--json', '--quiet'],
      {
        env: { ...process.env, MIXED_TEST_CREDENTIAL: JSON.stringify({ username: 'auditor', password, ca: root.ca }) },
      },
    );
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    const { report, manifest, status } = JSON.parse(stdout);
    assert.equal(status, 'complete');
    const read = JSON.parse(readFileSync(manifest, 'utf8')).databases.map(
      (database: { id: string; engine: string; result: string }) => [database.id, database.engine, database.result],
    );
    assert.deepEqual(read, [
      ['a-mysql', 'mysql', 'admin'],
      ['b-mariadb', 'mariadb', 'admin'],
      ['c-mssql', 'mssql', 'admin'],
    ]);
    const rows = await readReport(readFileSync(report));
    for (const wanted of [
      ['a-mysql', 'mysql', 'server', 'root@localhost'],
      ['b-mariadb', 'mariadb', 'server', 'root@localhost'],
      ['c-mssql', 'mssql', 'server', 'sa'],
      ['c-mssql', 'mssql', 'database:shop', 'dbo'],
    ]) {
      const found = rows.map(row => [row.database_id, row.engine, row.scope, row.principal]);
      assert.ok(
        found.some(row => row.join() === wanted.join()),
        wanted.join(),
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
