// The TDS server of the tests, against the real `mssql` package: what a test concludes from it is only as good as this.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, describe, test } from 'node:test';
import mssql from 'mssql';
import { authority, certificate } from './certificates.ts';
import { type Answer, type Fault, type ResultSet, startTds, type TdsOptions, type TdsServer } from './tds-server.ts';

const root = authority('TDS test authority');
const own = certificate({ authority: root, names: ['localhost'], addresses: ['127.0.0.1'] });

const started: TdsServer[] = [];
const pools: mssql.ConnectionPool[] = [];
after(async () => {
  await Promise.all(started.map(server => server.stop())); // first: a pool waits for what its connections are doing
  await Promise.all(pools.map(pool => pool.close().catch(() => {})));
});

async function start(options: TdsOptions = {}): Promise<TdsServer> {
  const server = await startTds({ certificate: own, answer: () => [one], ...options });
  started.push(server);
  return server;
}

const one: ResultSet = { columns: [['n', 'int']], rows: [[1]] };

async function connect(server: TdsServer, options: mssql.IOptions = {}, limits: Partial<mssql.config> = {}) {
  const pool = new mssql.ConnectionPool({
    server: 'localhost',
    port: server.port,
    user: 'auditor',
    password: 'pä$$ w☃rd',
    database: 'master',
    connectionTimeout: 2000,
    pool: { max: 1, min: 0 },
    validateConnection: false, // else the pool logs in again, without an end, to a server that does not answer SELECT 1
    options: {
      encrypt: true,
      trustServerCertificate: false,
      cryptoCredentialsDetails: { ca: root.ca },
      appName: 'tds test',
      readOnlyIntent: true,
      ...options,
    },
    ...limits,
  });
  pool.on('error', () => {});
  pools.push(pool);
  return pool.connect();
}

const heard = <E extends string>(server: TdsServer, event: E) => server.log.filter(entry => entry.event === event);

test('a log-in over TLS tells who comes, with which password, application and intent', async () => {
  const server = await start();
  await connect(server);
  const { client, event, ...login } = heard(server, 'login')[0]!;
  assert.deepEqual(login, {
    user: 'auditor',
    password: 'pä$$ w☃rd',
    application: 'tds test',
    server: 'localhost',
    database: 'master',
    readOnlyIntent: true,
    encrypted: 'TLSv1.2',
  });
});

for (const [encryption, encrypt, expected] of [
  ['ON', true, 'TLSv1.2'],
  ['REQ', true, 'TLSv1.2'],
  ['OFF', true, /encrypt/],
  ['NOT_SUP', true, /encrypt/],
  ['OFF', false, null],
  ['NOT_SUP', false, null],
  ['ON', false, /requires encryption/],
  ['REQ', false, /requires encryption/],
] as const) {
  test(`PRELOGIN answered ${encryption}, the client ${encrypt ? 'asks for' : 'does without'} encryption`, async () => {
    const server = await start({ encryption });
    if (expected instanceof RegExp) {
      await assert.rejects(connect(server, { encrypt }), expected);
      assert.deepEqual(heard(server, 'login'), []);
    } else {
      await connect(server, { encrypt });
      assert.equal((heard(server, 'login')[0] as { encrypted?: unknown }).encrypted, expected);
    }
  });
}

test('values of every type, NULL among them, in several result sets of a batch and of a call', async () => {
  const long = `${'x'.repeat(9000)}☃`;
  const first: ResultSet = {
    columns: [
      ['short', 'nvarchar'],
      ['long', 'nvarchar(max)'],
      ['whole', 'int'],
      ['big', 'bigint'],
      ['small', 'tinyint'],
      ['flag', 'bit'],
    ],
    rows: [
      ['[a]\'b"\n☃', long, -2_147_483_648, 2 ** 40, 255, true],
      ['', '', 0, -1, 0, false],
      [null, 'one NULL only', 1, 2, 3, true],
      [null, null, null, null, null, null],
    ],
  };
  const server = await start({ answer: () => [first, one] });
  const pool = await connect(server);
  for (const result of [await pool.request().batch('SELECT'), await pool.request().query('SELECT')]) {
    const sets = result.recordsets as mssql.IRecordSet<Record<string, unknown>>[];
    assert.deepEqual(
      sets.map(set => set.map(row => Object.values(row))),
      [first.rows.map(([a, b, c, d, ...rest]) => [a, b, c, d === null ? null : String(d), ...rest]), [[1]]],
    );
    assert.deepEqual(Object.keys(sets[0]![0]!), ['short', 'long', 'whole', 'big', 'small', 'flag']);
  }
});

test('parameters of sp_executesql arrive by name', async () => {
  const server = await start();
  const pool = await connect(server);
  const long = 'y'.repeat(5000);
  const request = pool.request().input('name', "o'brien]").input('long', mssql.NVarChar(mssql.MAX), long);
  await request
    .input('whole', mssql.Int, -7)
    .input('flag', mssql.Bit, true)
    .input('nothing', mssql.NVarChar, null)
    .query('Q');
  const call = heard(server, 'query').find(entry => (entry as { sql?: string }).sql === 'Q') as unknown as Record<
    string,
    unknown
  >;
  assert.equal(call.procedure, 'sp_executesql');
  assert.deepEqual(call.parameters, {
    '@name': "o'brien]",
    '@long': long,
    '@whole': -7,
    '@flag': true,
    '@nothing': null,
  });
});

test('errors and information messages come with number, severity and text, and the connection lives on', async () => {
  const info: string[] = [];
  const server = await start({
    answer: sql =>
      sql === 'bad'
        ? {
            sets: [one],
            info: [{ number: 50001, text: 'by the way' }],
            error: { number: 916, text: 'may not enter', severity: 14 },
          }
        : [one],
  });
  const pool = await connect(server);
  for (const way of ['batch', 'query'] as const) {
    const request = pool.request();
    request.on('info', message => info.push(message.message));
    await assert.rejects(request[way]('bad'), (error: mssql.RequestError) => {
      assert.deepEqual([error.number, error.class, error.message], [916, 14, 'may not enter']);
      return true;
    });
  }
  assert.deepEqual(info, ['by the way', 'by the way']);
  assert.equal((await pool.request().batch('good')).recordset[0].n, 1);
});

test('a wrong password is refused as SQL Server does, and heard once', async () => {
  const server = await start({ users: { auditor: 'another' } });
  await assert.rejects(connect(server), /Login failed for user 'auditor'\./);
  assert.equal(heard(server, 'login').length, 1);
});

for (const attention of ['acknowledged', 'ignored'] as const) {
  test(`a query that stalls times out, its attention is ${attention}`, async () => {
    const server = await start({
      attention,
      answer: (sql): Answer => (sql === 'slow' ? { fault: 'stall' } : { sets: [one] }),
    });
    const pool = await connect(server, { cancelTimeout: 300 }, { requestTimeout: 300 });
    const begun = Date.now();
    await assert.rejects(pool.request().batch('slow'), attention === 'ignored' ? /cancel/ : /Timeout/);
    assert.ok(Date.now() - begun < 5000);
    assert.equal(heard(server, 'attention').length, 1);
    if (attention === 'acknowledged') assert.equal((await pool.request().batch('quick')).recordset[0].n, 1);
    assert.equal(heard(server, 'connect').length, 2); // the pool's probe, and the one that lives on
  });
}

test('a delayed answer comes after its delay', async () => {
  const server = await start({ answer: (): Answer => ({ sets: [one], delay: 200 }) });
  const pool = await connect(server);
  const begun = Date.now();
  await pool.request().batch('late');
  assert.ok(Date.now() - begun >= 195);
});

// What a client gets of each fault. A time-out is the client's own limit; `no answer` is the test's.
const timeout = /in 1500ms|Timeout|cancel/;
const parser = /offset|end of data|data type|Unknown|Unexpected|when no sqlRequest/;
const outcomes: Record<Fault['how'], Partial<Record<Fault['at'], RegExp>> & { otherwise: RegExp }> = {
  stall: { otherwise: timeout },
  close: { otherwise: /hang up|end of message stream/ },
  reset: { accept: /Could not connect|ECONNRESET/, otherwise: /ECONNRESET/ },
  garbage: { result: parser, otherwise: timeout },
  malformed: { accept: timeout, tls: /SSL/, initial: timeout, result: /Unknown|no error/, otherwise: parser },
  http: { result: parser, otherwise: /hang up|end of message stream/ },
  drip: { tls: /SSL|in 1500ms/, otherwise: /in 1500ms|no error|no answer|cancel/ },
  endless: { accept: timeout, prelogin: timeout, tls: /SSL/, query: /no answer/, otherwise: parser },
};
describe('a fault comes in its place', { concurrency: 12 }, () => {
  for (const how of Object.keys(outcomes) as Fault['how'][]) {
    for (const at of ['accept', 'prelogin', 'tls', 'login', 'initial', 'query', 'result'] as const) {
      test(`fault: ${how} at ${at}`, async () => {
        const server = await start({ fault: { at, how }, dripEvery: 30 });
        const run = async () => {
          const pool = await connect(server, { cancelTimeout: 300 }, { connectionTimeout: 1500, requestTimeout: 1500 });
          await pool.request().batch('SELECT');
          throw new Error('no error');
        };
        const late = new Promise((_, reject) => setTimeout(reject, 6000, new Error('no answer')).unref());
        await assert.rejects(Promise.race([run(), late]), outcomes[how][at] ?? outcomes[how].otherwise);
        // It goes wrong in its place and not before.
        const reached = {
          accept: 'connect',
          prelogin: 'prelogin',
          tls: 'prelogin',
          login: 'login',
          initial: 'initial',
          query: 'query',
          result: 'query',
        };
        assert.ok(heard(server, reached[at]).length > 0);
        const next = {
          accept: 'prelogin',
          prelogin: 'tls',
          tls: 'tls',
          login: 'initial',
          initial: 'query',
          query: '',
          result: '',
        }[at];
        if (how !== 'drip' && how !== 'malformed') assert.deepEqual(heard(server, next), []);
      });
    }
  }
});

test('a client is sent elsewhere', async () => {
  const server = await start({ route: { server: 'elsewhere.invalid', port: 1 } });
  await assert.rejects(connect(server), /elsewhere\.invalid/);
});

test('500 databases over one connection, and a half of a packet is waited for', async () => {
  const databases = Array.from({ length: 500 }, (_, index) => `db ${index}`);
  const set = (name: string): ResultSet => ({
    columns: [['name', 'nvarchar']],
    rows: Array.from({ length: 20 }, () => [name]),
  });
  const server = await start({ answer: sql => [set(sql)] });
  const pool = await connect(server);
  for (const name of databases) {
    const { recordset } = await pool.request().batch(name);
    assert.equal(recordset.length, 20);
    assert.equal(recordset[19].name, name);
  }
  assert.equal(heard(server, 'login').length, 2);
});

test('stop ends every connection, and the port is free again', async () => {
  const server = await startTds({ fault: { at: 'accept', how: 'stall' } });
  const socket = net.connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.resume();
  const closed = once(socket, 'close');
  await server.stop();
  await closed;
  const again = net.connect(server.port, '127.0.0.1');
  const [error] = await once(again, 'error');
  assert.equal(error.code, 'ECONNREFUSED');
});
