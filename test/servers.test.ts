import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as tls from 'node:tls';
import { authority, certificate } from './certificates.ts';
import { startMariadb, startMysql } from './servers.ts';

for (const start of [startMariadb, startMysql]) {
  test(`${start.name}: a server with a certificate chain, restarted and stopped`, async () => {
    const intermediate = authority('Intermediate', authority('Root'));
    const server = await start({ certificate: certificate({ authority: intermediate, names: ['localhost'] }) });
    try {
      await server.query("CREATE USER visitor@'%' IDENTIFIED BY 'secret'");
      const connection = await server.connect('visitor', 'secret', { host: 'localhost' });
      const [rows] = await connection.query("SHOW STATUS LIKE 'Ssl_cipher'");
      assert.match((rows as { Value: string }[])[0]!.Value, /^TLS_/);
      await connection.end();
      await assert.rejects(
        server.connect('visitor', 'secret', { ssl: { ca: authority('Another').ca } }),
        /unable to get local issuer certificate/,
      );

      await server.restart(['--max-connections=77']);
      assert.deepEqual(await server.query('SELECT @@max_connections AS n, VERSION() AS version, @@port AS port'), [
        { n: 77, version: server.version, port: server.port },
      ]);
      assert.equal((await server.query("SELECT 1 FROM mysql.user WHERE User = 'visitor'")).length, 1);
    } finally {
      await server.stop();
    }
    assert.equal(existsSync(dirname(server.socket)), false);
    await assert.rejects(server.connect('visitor', 'secret'), { code: 'ECONNREFUSED' });
  });
}

test('a server without TLS, and one whose options are wrong', async () => {
  const server = await startMariadb({ certificate: null });
  try {
    const connection = await server.connect(server.root.user, server.root.password);
    const [rows] = await connection.query("SHOW STATUS LIKE 'Ssl_cipher'");
    assert.equal((rows as { Value: string }[])[0]!.Value, '');
    await connection.end();
  } finally {
    await server.stop();
  }
  await assert.rejects(startMariadb({ arguments: ['--no-such-option'] }), /did not start:.*no-such-option/s);
});

test('each server has a tmpdir of its own, which no other server clears', async () => {
  const servers = await Promise.all([startMariadb(), startMariadb(), startMysql()]);
  try {
    for (const server of servers) {
      assert.deepEqual(await server.query('SELECT @@tmpdir AS folder'), [{ folder: dirname(server.socket) }]);
    }
  } finally {
    await Promise.all(servers.map(server => server.stop()));
  }
});

test('a server on the PATH that is too old, lacks its scripts or cannot make its data folder is not used', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'on-path-'));
  const { PATH } = process.env;
  process.env.PATH = `${folder}:${PATH}`;
  const said = t.mock.method(process.stderr, 'write', () => true);
  try {
    // As Debian's answers; it says on its standard error how it is to make a data folder, and does not.
    const onPath = async (version: string, base: string) => {
      const answer = `mariadbd  Ver ${version} for debian-linux-gnu\nbasedir  ${base}/\nlc-messages-dir  (No default value)\n`;
      const script = `#!/bin/sh\ncase "$*" in *--bootstrap) echo "$@" >&2; exit 1;; esac\nprintf '${answer}'\n`;
      await writeFile(join(folder, 'mariadbd'), script, { mode: 0o755 });
      await (await startMariadb()).stop();
      return String(said.mock.calls.at(-1)?.arguments[0]);
    };
    await mkdir(join(folder, 'share/mysql'), { recursive: true });
    await writeFile(join(folder, 'share/mysql/mariadb_system_tables.sql'), '');
    assert.match(await onPath('10.1.48-MariaDB', folder), /mariadbd is not used: it is 10\.1\.48\.\n$/);
    assert.match(
      await onPath('10.11.99-MariaDB', '/nowhere'),
      /is not used: its script mariadb_system_tables\.sql is missing\.\n/,
    );
    // While it makes its data folder, it must not clear another server's temporary tables.
    assert.match(await onPath('10.11.99-MariaDB', folder), /is not used: .* --tmpdir=\S+\.unfinished /);
  } finally {
    process.env.PATH = PATH;
    await rm(folder, { recursive: true });
  }
});

test('an older MariaDB, from the suite that is asked for', async () => {
  const server = await startMariadb({ suite: 'bullseye' });
  await server.stop();
  assert.match(server.version, /^10\.5\.\d+-MariaDB/);
});

test('servers end, and their folders go, with the process that started them, even when it is killed', async () => {
  const script = `
    import { startMariadb, startMysql } from './servers.ts';
    const servers = await Promise.all([startMariadb(), startMysql()]);
    await servers[0].restart();
    const ids = await Promise.all(servers.map(server => server.query('SELECT @@pid_file AS file')));
    const { readFileSync } = await import('node:fs');
    const processes = ids.map(([{ file }]) => Number(readFileSync(file, 'utf8')));
    console.log(JSON.stringify({ processes, sockets: servers.map(server => server.socket) }));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface(child.stdout), 'line');
  const { processes, sockets } = JSON.parse(line) as { processes: number[]; sockets: string[] };
  const left = () => [...processes.filter(isAlive), ...sockets.map(dirname).filter(existsSync)];
  assert.equal(left().length, 4);
  child.kill('SIGKILL');
  for (let waited = 0; left().length > 0 && waited < 10_000; waited += 50) await sleep(50);
  assert.deepEqual(left(), []);
});

test('certificates are what they say, as a TLS client judges them', async () => {
  const root = authority('Root');
  const intermediate = authority('Intermediate', root);
  const names = ['db.example.com'];
  const judge = async (options: Parameters<typeof certificate>[0], ca: string, servername: string, host?: string) => {
    const server = tls.createServer(certificate(options)).listen(0, '127.0.0.1');
    server.on('tlsClientError', () => {});
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const socket = tls.connect({
      port,
      host: '127.0.0.1',
      ca,
      servername,
      ...(host
        ? { checkServerIdentity: (_name: string, peer: tls.PeerCertificate) => tls.checkServerIdentity(host, peer) }
        : {}),
    });
    try {
      return await once(socket, 'secureConnect').then(
        () => 'trusted',
        error => error.code,
      );
    } finally {
      socket.destroy();
      server.close();
    }
  };
  assert.equal(await judge({ authority: root, names }, root.ca, 'db.example.com'), 'trusted');
  assert.equal(await judge({ authority: intermediate, names }, root.ca, 'db.example.com'), 'trusted');
  assert.equal(await judge({ authority: root, names }, root.ca, 'other.example.com'), 'ERR_TLS_CERT_ALTNAME_INVALID');
  assert.match(
    await judge({ authority: root, names }, authority('Root').ca, 'db.example.com'),
    /CERT|ISSUER|SIGNATURE/,
  );
  assert.equal(await judge({ authority: root, names, expired: true }, root.ca, 'db.example.com'), 'CERT_HAS_EXPIRED');
  const addressed = { authority: root, names, addresses: ['127.0.0.1', '::1'] };
  assert.equal(await judge(addressed, root.ca, '', '127.0.0.1'), 'trusted');
  assert.equal(await judge(addressed, root.ca, '', '::1'), 'trusted');
  assert.equal(await judge(addressed, root.ca, '', '127.0.0.2'), 'ERR_TLS_CERT_ALTNAME_INVALID');
});

function isAlive(processId: number): boolean {
  try {
    return process.kill(processId, 0);
  } catch {
    return false;
  }
}
