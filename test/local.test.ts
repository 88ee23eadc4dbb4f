// `cli.ts --local` on one inventory of healthy and faulty databases: each fault in its own row and words, nobody else
// disturbed, the wall time bounded by the limits, no secret in any output.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { collect, type Database, type DatabaseResult } from '../worker.ts';
import { authority, certificate } from './certificates.ts';
import { type Ran, readReport, runCli } from './command.ts';
import * as faults from './fault-servers.ts';
import { type Server, startMariadb, startMysql } from './servers.ts';

const password = 'S3cret-of-the-auditor';
const unknownCa = authority('Nobody knows');
const knownCa = authority('Test authority');
const right = certificate({ authority: knownCa, names: ['localhost'], addresses: ['127.0.0.1'] });
const wrongName = certificate({ authority: knownCa, names: ['elsewhere.example.com'], addresses: ['127.9.9.9'] });
const expired = certificate({ authority: knownCa, names: ['localhost'], addresses: ['127.0.0.1'], expired: true });
const stranger = certificate({ authority: unknownCa, names: ['localhost'], addresses: ['127.0.0.1'] });
const itself = { name: 'localhost', key: right.key, cert: '', chain: '', ca: '' };
const selfSigned = certificate({ authority: itself, names: ['localhost'], addresses: ['127.0.0.1'] });

type Case = {
  id: string;
  port: number;
  host?: string;
  tls?: 'verify' | 'trust' | 'off';
  value?: string | null;
  result: 'admin' | 'incomplete' | 'failed';
  detail?: RegExp;
};

describe('one inventory, healthy and faulty', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'local-test-'));
  const servers: Server[] = [];
  const faulty: faults.FaultServer[] = [];
  let cases: Case[] = [];
  let ran: Ran;
  let rows: Record<string, string>[] = [];
  const credential = (more: object = {}) => JSON.stringify({ username: 'auditor', password, ca: knownCa.ca, ...more });

  before(async () => {
    const [mariadb, mysql, plain, misnamed, old, strange] = await Promise.all([
      startMariadb({ certificate: right }),
      startMysql({ certificate: right }),
      startMariadb({ certificate: null }),
      startMariadb({ certificate: wrongName }),
      startMariadb({ certificate: expired }),
      startMysql({ certificate: stranger }),
    ]);
    servers.push(mariadb, mysql, plain, misnamed, old, strange);
    for (const server of servers) {
      await server.query(`CREATE USER auditor@'%' IDENTIFIED BY '${password}'`);
      await server.query("GRANT SELECT ON mysql.* TO auditor@'%'");
    }
    for (const server of [mariadb, mysql]) {
      await server.query(`CREATE USER locked@'%' IDENTIFIED BY '${password}' ACCOUNT LOCK`);
      await server.query(`CREATE USER blind@'%' IDENTIFIED BY '${password}'`);
      await server.query("GRANT SELECT ON mysql.user TO blind@'%'");
      await server.query(`CREATE USER outdated@'%' IDENTIFIED BY '${password}' PASSWORD EXPIRE`);
    }
    const fault = async (server: Promise<faults.FaultServer>) => {
      faulty.push(await server);
      return (await server).port;
    };
    const user = (username: string) => credential({ username });
    cases = [
      { id: 'mariadb-verify', port: mariadb.port, result: 'admin' },
      { id: 'mysql-verify', port: mysql.port, result: 'admin' },
      { id: 'mariadb-by-name', port: mariadb.port, host: 'localhost', result: 'admin' },
      { id: 'mysql-trust', port: mysql.port, tls: 'trust', value: credential({ ca: undefined }), result: 'admin' },
      { id: 'mariadb-trust-expired', port: old.port, tls: 'trust', result: 'admin' },
      { id: 'mysql-trust-stranger', port: strange.port, tls: 'trust', result: 'admin' },
      { id: 'mariadb-off', port: mariadb.port, tls: 'off', result: 'admin' },
      { id: 'mariadb-plain-off', port: plain.port, tls: 'off', result: 'admin' },
      { id: 'mysql-off', port: mysql.port, tls: 'off', result: 'admin' },
      {
        id: 'mariadb-blind',
        port: mariadb.port,
        value: user('blind'),
        result: 'incomplete',
        detail: /GRANT SELECT ON mysql\.\* TO 'blind'@'%'/,
      },
      {
        id: 'mysql-blind',
        port: mysql.port,
        value: user('blind'),
        result: 'incomplete',
        detail: /GRANT SELECT ON mysql\.\* TO 'blind'@'%'/,
      },
      { id: 'mariadb-plain', port: plain.port, result: 'failed', detail: /offers no encryption; no password was sent/ },
      {
        id: 'wrong-name',
        port: misnamed.port,
        host: 'localhost',
        result: 'failed',
        detail: /certificate is not for this host/,
      },
      {
        id: 'wrong-address',
        port: misnamed.port,
        result: 'failed',
        detail: /certificate is not for this host.*127\.0\.0\.1/,
      },
      { id: 'expired', port: old.port, result: 'failed', detail: /certificate has expired/ },
      { id: 'unknown-authority', port: strange.port, result: 'failed', detail: /unknown authority/ },
      {
        id: 'self-signed',
        port: await fault(faults.stallingOnQuery(selfSigned)),
        result: 'failed',
        detail: /self-signed; give it as "ca"/,
      },
      {
        id: 'no-ca',
        port: mysql.port,
        value: credential({ ca: undefined }),
        result: 'failed',
        detail: /unknown authority/,
      },
      {
        id: 'wrong-password',
        port: mariadb.port,
        value: credential({ password: `${password}-not` }),
        result: 'failed',
        detail: /login failed: wrong user name or password/,
      },
      {
        id: 'wrong-password-mysql',
        port: mysql.port,
        value: credential({ password: `${password}-not` }),
        result: 'failed',
        detail: /login failed: wrong user name or password/,
      },
      { id: 'locked', port: mariadb.port, value: user('locked'), result: 'failed', detail: /account is locked/i },
      {
        id: 'locked-mysql',
        port: mysql.port,
        value: user('locked'),
        result: 'failed',
        detail: /account is locked/i,
      },
      {
        id: 'outdated',
        port: mariadb.port,
        value: user('outdated'),
        result: 'failed',
        detail: /must SET PASSWORD/,
      },
      {
        id: 'outdated-mysql',
        port: mysql.port,
        value: user('outdated'),
        result: 'failed',
        detail: /password has expired/i,
      },
      { id: 'no-variable', port: mysql.port, value: null, result: 'failed', detail: /the environment has no variable/ },
      { id: 'not-json', port: mysql.port, value: `password=${password}`, result: 'failed', detail: /is not JSON/ },
      {
        id: 'no-username',
        port: mysql.port,
        value: JSON.stringify({ password }),
        result: 'failed',
        detail: /has no "username"/,
      },
      {
        id: 'other-host',
        port: mysql.port,
        value: credential({ host: 'db.example.com' }),
        result: 'failed',
        detail: /is for the host db\.example\.com/,
      },
      {
        id: 'not-a-ca',
        port: mysql.port,
        value: credential({ ca: 'rds' }),
        result: 'failed',
        detail: /is not a PEM certificate/,
      },
      {
        id: 'no-such-host',
        port: 3306,
        host: 'no-such-host.invalid',
        result: 'failed',
        detail: /host name not found|name server did not answer/,
      },
      { id: 'silent', port: await fault(faults.silent()), result: 'failed', detail: /timed out/ },
      { id: 'refusing', port: await fault(faults.refusing()), result: 'failed', detail: /connection refused/ },
      { id: 'resetting', port: await fault(faults.resetting()), result: 'failed', detail: /connection (reset|closed)/ },
      { id: 'closing', port: await fault(faults.closing()), result: 'failed', detail: /connection closed/ },
      { id: 'garbage', port: await fault(faults.garbage()), result: 'failed' },
      { id: 'http', port: await fault(faults.http()), result: 'failed' },
      { id: 'dripping', port: await fault(faults.drippingGreeting()), result: 'failed', detail: /timed out/ },
      {
        id: 'greeting-then-silent',
        port: await fault(faults.greetingThenSilent()),
        result: 'failed',
        detail: /timed out/,
      },
      { id: 'without-tls', port: await fault(faults.withoutTls()), result: 'failed', detail: /no password was sent/ },
      {
        id: 'stalling',
        port: await fault(faults.stallingOnQuery(right)),
        result: 'failed',
        detail: /timed out|took more than 60 s/,
      },
      { id: 'malformed', port: await fault(faults.malformedAnswer(right)), result: 'failed' },
      {
        id: 'endless',
        port: await fault(faults.endlessResult(right)),
        result: 'failed',
        detail: /timed out|took more than 60 s|no end/,
      },
      {
        id: 'closing-in-result',
        port: await fault(faults.closingInResult(right)),
        result: 'failed',
        detail: /connection closed/,
      },
      {
        id: 'too-many',
        port: await fault(faults.tooManyConnections()),
        result: 'failed',
        detail: /too many connections/i,
      },
      {
        id: 'blocked',
        port: await fault(faults.hostBlocked()),
        result: 'failed',
        detail: /is blocked because of many connection errors/,
      },
      {
        id: 'closing-after-login',
        port: await fault(faults.closingAfterLogin(right)),
        result: 'failed',
        detail: /ended the connection in the middle of the log-in/,
      },
      {
        id: 'broken-ca',
        port: mysql.port,
        value: credential({ ca: '-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----' }),
        result: 'failed',
        detail: /is not a PEM certificate/,
      },
      { id: 'denied', port: await fault(faults.accessDenied(right)), result: 'failed', detail: /login failed/ },
    ];
    const env: Record<string, string> = {};
    const databases = cases.map(({ id, port, host = '127.0.0.1', tls, value = credential() }, i) => {
      if (value !== null) env[`CREDENTIAL_${i}`] = value;
      return {
        id,
        account: '111122223333',
        region: 'us-east-1',
        engine: 'mysql',
        host,
        port,
        tls,
        credentials: `env:CREDENTIAL_${i}`,
      };
    });
    fs.writeFileSync(path.join(folder, 'inventory.json'), JSON.stringify({ databases }));
    ran = await runCli(
      ['--local', '--inventory', path.join(folder, 'inventory.json'), '--out', path.join(folder, 'out'), '--json'],
      { env: { ...process.env, ...env } },
    );
    if (ran.stdout) rows = await readReport(fs.readFileSync(JSON.parse(ran.stdout).report));
  });

  after(async () => {
    await Promise.all([...servers, ...faulty].map(server => server.stop()));
    fs.rmSync(folder, { recursive: true, force: true });
  });

  test('exit 3, and a row for every database and no other', () => {
    assert.equal(ran.code, 3, ran.stderr);
    assert.deepEqual([...new Set(rows.map(row => row.database_id))].sort(), cases.map(({ id }) => id).sort());
  });

  test('each database has its own result, in words', () => {
    const wrong = cases.filter(({ id, result, detail = /./ }) => {
      const own = rows.filter(row => row.database_id === id);
      const results = new Set(own.map(row => row.result));
      if (result === 'admin')
        return results.size !== 1 || !results.has('admin') || !own.some(row => row.principal === 'root@localhost');
      return (
        !own.some(row => row.result === result && detail.test(row.detail!)) || (result === 'failed' && own.length !== 1)
      );
    });
    const found = wrong.map(({ id }) => [
      id,
      ...new Set(rows.filter(row => row.database_id === id).map(row => `${row.result}: ${row.detail}`)),
    ]);
    assert.deepEqual(found, []);
  });

  test('the wall time is bounded by the limits: the longest is a query of 60 s, or two connects of 10 and 30 s', () => {
    assert.ok(ran.ms < 80_000, `${ran.ms} ms`);
  });

  test('nothing healthy waited for what is ill', () => {
    const manifest = JSON.parse(fs.readFileSync(JSON.parse(ran.stdout).manifest, 'utf8'));
    const slow = manifest.databases.filter(
      (database: { result: string; duration_ms: number }) =>
        database.result === 'admin' && database.duration_ms > 8_000,
    );
    assert.deepEqual(slow, []);
  });

  test('the summary counts what the rows say', () => {
    const summary = JSON.parse(ran.stdout);
    const count = (...results: string[]) => cases.filter(({ result }) => results.includes(result)).length;
    const { total, covered, incomplete, failed } = summary.databases;
    assert.deepEqual(
      { total, covered, incomplete, failed },
      {
        total: cases.length,
        covered: count('admin'),
        incomplete: count('incomplete'),
        failed: count('failed'),
      },
    );
    assert.equal(summary.status, 'incomplete');
    assert.equal(summary.rows, rows.length);
    assert.deepEqual(
      summary.failures.map((failure: { database_id: string }) => failure.database_id).sort(),
      cases
        .filter(({ result }) => result !== 'admin')
        .map(({ id }) => id)
        .sort(),
    );
  });

  test('a wrong password is tried once, a server without TLS never gets one', () => {
    const attempts = (id: string, event: string) =>
      faulty[
        cases.filter(({ port }) => faulty.some(server => server.port === port)).findIndex(one => one.id === id)
      ]!.log.filter(entry => entry.event === event).length;
    assert.equal(attempts('denied', 'login'), 1);
    assert.equal(attempts('closing-after-login', 'login'), 1);
    assert.equal(attempts('without-tls', 'login'), 0);
    // A time-out is tried again only where the server has not said a byte.
    assert.equal(attempts('silent', 'connect'), 2);
    assert.equal(attempts('greeting-then-silent', 'connect'), 1);
    assert.equal(attempts('dripping', 'connect'), 1);
  });

  test('no secret in any output', () => {
    const outputs = [
      ran.stdout,
      ran.stderr,
      ...fs.readdirSync(path.join(folder, 'out')).map(file => fs.readFileSync(path.join(folder, 'out', file), 'utf8')),
    ];
    for (const output of outputs) assert.ok(!output.includes(password));
  });

  test('nothing but the report and its manifest is left', () => {
    assert.equal(fs.readdirSync(path.join(folder, 'out')).length, 2);
  });
});

describe('an answer without an end takes no more memory than is allowed', () => {
  for (const [name, start, tls] of [
    ['a greeting', faults.floodingGreeting, 'verify'],
    ['an answer over TLS', () => faults.floodingAnswer(right), 'verify'],
    ['an answer without TLS', () => faults.floodingAnswer(), 'off'],
  ] as const) {
    test(name, async () => {
      const server = await start();
      const database = { id: 'flood', host: '127.0.0.1', port: server.port, engine: 'mysql', tls } as Database;
      let result: DatabaseResult | undefined;
      await faults.withLimits({ received: 4 * 1024 * 1024 }, () =>
        collect([database], {
          credentials: async () => ({ username: 'auditor', password, ca: knownCa.ca }),
          queries: new Map(),
          done: one => {
            result = one;
          },
        }),
      );
      await server.stop();
      assert.equal(result!.result, 'failed');
      assert.match(result!.detail, /too large/);
      assert.ok(result!.duration_ms < 5_000, `${result!.duration_ms} ms`);
    });
  }
});
