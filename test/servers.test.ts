import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
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
