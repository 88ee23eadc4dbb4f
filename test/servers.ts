/**
 * Real MariaDB and MySQL servers for the tests and the demo: on loopback, on a free port, on a throwaway data folder.
 *
 * A server on the PATH is used where there is one that can make its data folder. Elsewhere, on Debian, apt fetches the
 * packages (signatures, hashes and dependencies are its business) into the ignored folder .servers/, where they are
 * unpacked and run through their own loader: nothing is installed and no root is needed. Delete .servers/ to fetch newer
 * ones.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, constants, existsSync, globSync, openSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { authority, type Certificate, certificate } from './certificates.ts';

export type Engine = 'mariadb' | 'mysql';

export type Options = {
  /** Further options of the server, such as `--partial_revokes=ON`; they come last and so win. */
  arguments?: string[];
  /** The server's certificate; by default one for `localhost` and 127.0.0.1. `null`: a server without TLS. */
  certificate?: Certificate | null;
  /**
   * The Debian suite to take the server from, whatever is on the PATH: bullseye has MariaDB 10.5, bookworm 10.11, trixie
   * 11.8, sid the newest MySQL.
   */
  suite?: string;
};

// biome-ignore lint/suspicious/noExplicitAny: a row of whatever a test asks for
export type Row = Record<string, any>;

export type Server = {
  engine: Engine;
  /** As the server says it: `10.11.18-MariaDB-0+deb12u1`, `9.7.4-2`. */
  version: string;
  host: '127.0.0.1';
  port: number;
  socket: string;
  /** `root@localhost`; loopback counts as localhost. */
  root: { user: string; password: string };
  /** PEM of the authority that signed the server's certificate; '' without TLS. */
  ca: string;
  /** Runs a statement as root, over the socket (so that no TLS or network option is in the way). */
  query(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Logs in over TCP and, where the server has it, verified TLS. The caller ends the connection. */
  connect(user: string, password: string, options?: mysql.ConnectionOptions): Promise<mysql.Connection>;
  /** Stops in good order and starts again on the same data and port, with further options; they last for that start. */
  restart(extraArguments?: string[]): Promise<void>;
  stop(): Promise<void>;
};

/** A program and what must come before its own arguments (a loader, where it was unpacked). */
type Program = { command: string; args: string[]; environment: NodeJS.ProcessEnv };
type Installation = Program & { engine: Engine; version: string; base: string[]; scripts: string[] };

const run = promisify(execFile);
const cacheFolder = join(import.meta.dirname, '..', '.servers');

export const startMariadb = (options?: Options) => start('mariadb', options ?? {});
export const startMysql = (options?: Options) => start('mysql', options ?? {});

/** MariaDB's own command line client, for comparisons; fetched only when asked for. */
export async function mariadbClient(): Promise<Program> {
  const [found] = onPath(['mariadb']);
  if (found) return { command: found, args: ['--no-defaults'], environment: process.env };
  const folder = await unpacked(await machineSuite(), 'mariadb-client-core');
  const program = unpackedProgram(folder, 'usr/bin/mariadb');
  const plugins = globSync('usr/lib/*/libmariadb3/plugin', { cwd: folder }).map(path => join(folder, path));
  return { ...program, args: [...program.args, '--no-defaults', ...plugins.map(path => `--plugin-dir=${path}`)] };
}

// ---------------------------------------------------------------------------------------------------------- a server

async function start(engine: Engine, options: Options): Promise<Server> {
  const installation = await findServer(engine, options.suite);
  const pristine = await pristineData(installation);
  const password = await readFile(join(pristine, 'password'), 'utf8');
  const folder = await mkdtemp(join(tmpdir(), 'db-server-'));
  const socket = join(folder, 's');
  const tls = options.certificate === undefined ? defaultCertificate() : options.certificate;
  let child: ChildProcess | undefined;
  let kept: Promise<mysql.Connection> | undefined;
  let port: number;
  let version = '';

  try {
    await cp(join(pristine, 'data'), join(folder, 'data'), { recursive: true, mode: constants.COPYFILE_FICLONE });
    for (const name of ['key', 'cert', 'ca'] as const) {
      if (tls) await writeFile(join(folder, `${name}.pem`), tls[name], { mode: 0o600 });
    }
    // Somebody may take the port between its choice and its use: then another is tried.
    for (let attempt = 1; ; attempt++) {
      port = await freePort();
      const outcome = await launch([]);
      if (!outcome) break;
      if (attempt === 5 || !/address already in use/i.test(outcome)) throw startFailure(outcome);
    }
  } catch (error) {
    await stop();
    throw error;
  }

  /** Starts the server and waits until it answers: undefined, or its log where it ended instead. */
  async function launch(extraArguments: string[]): Promise<string | undefined> {
    const log = join(folder, 'log');
    const output = openSync(log, 'w');
    const serverArguments = [
      ...installation.args,
      '--no-defaults',
      ...installation.base,
      ...asRoot(),
      ...ownFolders(folder),
      `--secure-file-priv=${folder}`,
      `--socket=${socket}`,
      `--pid-file=${join(folder, 'pid')}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      '--max-connections=500',
      '--skip-log-bin',
      ...throwaway(engine),
      ...(engine === 'mysql' ? ['--mysqlx=OFF'] : []),
      ...tlsArguments(engine, tls ? folder : undefined),
      ...(options.arguments ?? []),
      ...extraArguments,
    ];
    const started = spawn('/bin/sh', ['-c', guarded, folder, installation.command, ...serverArguments], {
      // The pipe to the guard is not its standard input: that one Node closes as soon as the server ends.
      stdio: ['ignore', output, output, 'pipe'],
      env: installation.environment,
      // Its own session: Ctrl-C in a terminal reaches the test process alone, whose end then ends the server.
      detached: true,
    });
    closeSync(output);
    child = started;
    const guard = started.stdio[3] as Writable;
    guard.on('error', () => {});
    // The number of a process that has ended may soon be another's, which the guard must not kill.
    const exited = once(started, 'exit').then(() => guard.end('ended\n'));
    const limit = Date.now() + 60_000;
    while (isRunning(started)) {
      try {
        version = await ask();
        return;
      } catch (error) {
        const { errno = 0, message } = error as { errno?: number; message: string };
        // A refusal is an answer too: a test may have changed root's account before a restart.
        if (errno > 1000) return;
        if (Date.now() > limit) {
          return `it did not answer within a minute: ${message}\n${await readFile(log, 'utf8')}`;
        }
      }
      await Promise.race([exited, sleep(40)]);
    }
    return readFile(log, 'utf8');
  }

  async function ask(): Promise<string> {
    const connection = await mysql.createConnection({ user: 'root', password, socketPath: socket });
    try {
      const [rows] = await connection.query<mysql.RowDataPacket[]>('SELECT VERSION() AS version');
      return rows[0]!.version;
    } finally {
      connection.destroy();
    }
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL') {
    forget();
    if (!child || !isRunning(child)) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  async function stop() {
    await end('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }

  function forget() {
    kept?.then(connection => connection.destroy()).catch(() => {});
    kept = undefined;
  }

  const server: Server = {
    engine,
    version,
    host: '127.0.0.1',
    port: port!,
    socket,
    root: { user: 'root', password },
    ca: tls?.ca ?? '',
    async query(sql, values) {
      kept ??= mysql.createConnection({ user: 'root', password, socketPath: socket }).then(opened => {
        opened.on('error', forget);
        return opened;
      });
      try {
        const [rows] = await (await kept).query(sql, values);
        return rows as Row[];
      } catch (error) {
        const { fatal, errno } = error as { fatal?: boolean; errno?: number };
        // 1927 and 1317: the connection was killed, which the driver takes for an error of the statement.
        if (fatal || !errno || errno === 1927 || errno === 1317) forget();
        throw error;
      }
    },
    connect: (user, password, connectOptions) =>
      mysql.createConnection({
        host: '127.0.0.1',
        port: server.port,
        user,
        password,
        ...(tls ? { ssl: { ca: tls.ca, rejectUnauthorized: true } } : {}),
        ...connectOptions,
      }),
    async restart(extraArguments = []) {
      await end('SIGTERM');
      const outcome = await launch(extraArguments);
      if (outcome) throw startFailure(outcome);
    },
    stop,
  };
  return server;

  function startFailure(log: string) {
    return new Error(
      `${engine} ${installation.version} (${installation.command}) did not start:\n${log.slice(-3_000)}`,
    );
  }
}

/**
 * Becomes the server, after leaving a guard behind that reads the pipe from this process. The pipe ends when this
 * process does, however it does: then the guard kills the server and removes its folder ($0). `ended` calls it off.
 */
const guarded = `
server=$$
(
  read -r word <&3 || true
  if [ "$word" != ended ]; then kill -9 $server; rm -rf "$0" || rm -rf "$0"; fi
) >/dev/null 2>&1 &
exec "$@" 3<&-
`;

/** Small, and nothing of it needs to last. */
const throwaway = (engine: Engine) => [
  '--innodb-buffer-pool-size=32M',
  '--innodb-flush-log-at-trx-commit=0',
  '--innodb-doublewrite=0',
  '--innodb-flush-method=nosync',
  '--innodb-use-native-aio=0',
  engine === 'mysql' ? '--loose-innodb-redo-log-capacity=8M' : '--innodb-log-file-size=8M',
];

const isRunning = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;

const asRoot = () => (process.getuid?.() === 0 ? ['--user=root'] : []);

/** A MariaDB that starts deletes the temporary tables that lie in its tmpdir, another server's too: no two share one. */
const ownFolders = (folder: string) => [`--datadir=${join(folder, 'data')}`, `--tmpdir=${folder}`];

let ownCertificate: Certificate | undefined;
function defaultCertificate() {
  ownCertificate ??= certificate({
    authority: authority('Test servers'),
    names: ['localhost'],
    addresses: ['127.0.0.1'],
  });
  return ownCertificate;
}

function tlsArguments(engine: Engine, folder: string | undefined): string[] {
  if (folder) return ['ca', 'cert', 'key'].map(name => `--ssl-${name}=${join(folder, `${name}.pem`)}`);
  // MySQL makes its own certificate where it is given none, and has had no --ssl since 8.4.
  return engine === 'mysql' ? ['--tls-version='] : ['--skip-ssl'];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return (address as { port: number }).port;
}

/** A folder with `data`, an initialised data folder that is never run, and `password`, that of its root. */
function pristineData(installation: Installation): Promise<string> {
  const { engine, version } = installation;
  // The script is part of the name: a change of it must not meet data that the old one made.
  const script = `${initialise}${pristineData}${throwaway}${ownFolders}`;
  const digest = createHash('sha256').update(script).digest('hex').slice(0, 8);
  return cached(`data-${engine}-${version}-${digest}`, async folder => {
    const data = join(folder, 'data');
    const password = randomBytes(12).toString('hex');
    await mkdir(data);
    const common = ['--no-defaults', ...installation.base, ...asRoot(), ...ownFolders(folder), ...throwaway(engine)];
    if (engine === 'mysql') {
      const file = join(folder, 'init.sql');
      await writeFile(file, `ALTER USER root@localhost IDENTIFIED BY '${password}';\n`);
      await initialise(installation, [...common, '--initialize-insecure', `--init-file=${file}`]);
      // Each server must make its own: two with one UUID would look like one and the same.
      await rm(join(data, 'auto.cnf'));
    } else {
      const scripts = await Promise.all(installation.scripts.map(file => readFile(file, 'utf8')));
      // root@this-machine's-name and the like would make a report differ from machine to machine.
      const input = `CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n${scripts.join('\n')}
USE mysql;
DELETE FROM global_priv WHERE User = 'root' AND Host <> 'localhost';
DELETE FROM proxies_priv;
FLUSH PRIVILEGES;
ALTER USER root@localhost IDENTIFIED BY '${password}';
`;
      await initialise(installation, [...common, '--bootstrap'], input);
    }
    await writeFile(join(folder, 'password'), password, { mode: 0o600 });
  });
}

async function initialise(installation: Installation, serverArguments: string[], input = '') {
  const { command, args, environment } = installation;
  const promise = run(command, [...args, ...serverArguments], { env: environment, maxBuffer: 16 << 20 });
  promise.child.stdin!.on('error', () => {});
  promise.child.stdin!.end(input);
  const { stderr } = await promise;
  if (/\bERROR\b/.test(stderr)) throw new Error(`${command} could not make its data folder:\n${stderr.slice(-3_000)}`);
}

// ------------------------------------------------------------------------------------------------- where it comes from

/** Why servers on the PATH are not used, each said once. */
const unfit = new Set<string>();

/** The server on the PATH where it is fit, else Debian's, unpacked. */
async function findServer(engine: Engine, suite?: string): Promise<Installation> {
  const names = engine === 'mariadb' ? ['mariadbd', 'mysqld'] : ['mysqld'];
  const oldest: [number, number] = engine === 'mariadb' ? [10, 4] : [8, 0];
  for (const command of suite ? [] : onPath(names, engine)) {
    try {
      const installation = await describe(engine, { command, args: [], environment: process.env });
      if (!installation) continue;
      if (!atLeast(installation.version, oldest)) throw new Error(`it is ${installation.version}`);
      // It may be there without its scripts, or not be let at this folder (AppArmor).
      await pristineData(installation);
      return installation;
    } catch (error) {
      const reason = `${command} is not used: ${(error as Error).message.replace(/\s+/g, ' ').slice(0, 300)}.`;
      if (!unfit.has(reason)) process.stderr.write(`${reason}\n`);
      unfit.add(reason);
    }
  }
  try {
    const from = suite ?? (engine === 'mysql' ? 'sid' : await machineSuite());
    const folder = await unpacked(from, `${engine}-server-core${from === 'bullseye' ? '-10.5' : ''}`);
    const program = unpackedProgram(folder, engine === 'mysql' ? 'usr/sbin/mysqld' : 'usr/sbin/mariadbd');
    const share = join(folder, globSync('usr/share/{mysql,mariadb}/', { cwd: folder })[0]!);
    const plugins = globSync('usr/lib/mysql/plugin', { cwd: folder })[0];
    const base = [
      `--basedir=${join(folder, 'usr')}`,
      `--lc-messages-dir=${share}`,
      `--character-sets-dir=${join(share, 'charsets')}`,
      ...(plugins ? [`--plugin-dir=${join(folder, plugins)}`] : []),
    ];
    const installation = await describe(engine, program, base);
    if (!installation) throw new Error(`${program.command} is no ${engine} server`);
    return installation;
  } catch (error) {
    const advice =
      engine === 'mariadb'
        ? 'MariaDB 10.4 or later (macOS: brew install mariadb; Debian, Ubuntu: apt-get install mariadb-server-core)'
        : 'MySQL 8.0 or later (macOS: brew install mysql; Ubuntu: apt-get install mysql-server-core-8.0)';
    throw new Error(
      `The tests and the demo need a real ${engine} server. ${[...unfit, ''].join(' ')}Install ${advice}, with its server ` +
        `program (${names.join(' or ')}) on the PATH. Why none could be fetched: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** What this program is, or undefined where it is the other engine (MariaDB installs a `mysqld` too). */
async function describe(engine: Engine, program: Program, base: string[] = []): Promise<Installation | undefined> {
  const { command, args, environment } = program;
  const ask = async (...questions: string[]) =>
    (await run(command, [...args, '--no-defaults', ...base, ...questions], { env: environment, maxBuffer: 16 << 20 }))
      .stdout;
  const about = await ask('--version');
  if (/mariadb/i.test(about) !== (engine === 'mariadb')) return;
  const version = /Ver (\d+\.\d+\.\d+)/.exec(about)?.[1];
  if (!version) throw new Error(`--version says ${about}`);
  return {
    ...program,
    engine,
    version,
    base,
    scripts: engine === 'mariadb' ? findScripts(await ask('--verbose', '--help')) : [],
  };
}

/** The scripts that make MariaDB's own tables, in their order, from what the server says of its folders. */
function findScripts(help: string): string[] {
  const [folder, base] = ['lc-messages-dir', 'basedir'].map(
    name => new RegExp(`^${name}\\s+(/.*)`, 'm').exec(help)?.[1],
  );
  const folders = [folder, ...['share/mysql', 'share/mariadb', 'share'].map(name => base && join(base, name))];
  const find = (name: string) =>
    folders.flatMap(cwd =>
      cwd ? globSync(`{mysql,mariadb,maria}_${name}.sql`, { cwd }).map(file => join(cwd, file)) : [],
    )[0];
  const tables = find('system_tables');
  if (!tables) throw new Error('its script mariadb_system_tables.sql is missing');
  const others = ['performance_tables', 'system_tables_data', 'add_gis_sp_bootstrap', 'sys_schema'];
  return [tables, ...others.flatMap(name => find(name) ?? [])];
}

function atLeast(version: string, [major, minor]: [number, number]) {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

function onPath(names: string[], engine?: Engine): string[] {
  // Servers stand where a user's PATH often does not lead, and brew links only one of the two engines.
  const folders = (process.env.PATH ?? '').split(':').filter(folder => folder !== '');
  for (const brew of ['/opt/homebrew', '/usr/local', '/home/linuxbrew/.linuxbrew']) {
    if (engine) folders.push(join(brew, 'opt', engine, 'bin'));
  }
  folders.push('/usr/sbin', '/usr/local/sbin', '/usr/libexec');
  return [...new Set(folders)]
    .flatMap(folder => names.map(name => join(folder, name)))
    .filter(path => existsSync(path));
}

function unpackedProgram(folder: string, program: string): Program {
  const loader = globSync('{usr/,}lib/*-linux-gnu*/ld-linux-*.so.*', { cwd: folder })[0];
  if (!loader) throw new Error(`no loader in ${folder}`);
  const libraries = globSync('{usr/,}lib/*-linux-gnu*', { cwd: folder }).map(path => join(folder, path));
  // What the machine preloads or configures is made for its own libraries.
  const { LD_PRELOAD, LD_LIBRARY_PATH, ...environment } = process.env;
  return {
    command: join(folder, loader),
    args: ['--library-path', libraries.join(':'), join(folder, program)],
    environment: { ...environment, OPENSSL_CONF: '/dev/null' },
  };
}

async function machineSuite(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const codename = /^VERSION_CODENAME=(\w+)/m.exec(release)?.[1];
  if (!/^ID=debian$/m.test(release) || !codename) throw new Error('this machine is no Debian');
  return codename;
}

/** A folder with a Debian package and all that it depends on, down to libc, unpacked side by side. */
async function unpacked(suite: string, packageName: string): Promise<string> {
  const codename = await machineSuite();
  return cached(`${suite}-${packageName}`, async folder => {
    process.stderr.write(`Fetching ${packageName} from Debian ${suite} into .servers/ ...\n`);
    const apt = join(folder, 'apt');
    await mkdir(join(apt, 'lists/partial'), { recursive: true });
    await mkdir(join(apt, 'archives/partial'), { recursive: true });
    // Nothing counts as installed, so apt fetches every dependency.
    await writeFile(join(apt, 'status'), '');

    // What apt would fetch for the machine's own sources tells the mirror, even where nothing was ever fetched.
    const { stdout } = await run('apt-get', ['--print-uris', 'update']);
    const mirrors = new Map(
      [...stdout.matchAll(/^'(.+)\/dists\/([^/]+)\/InRelease'/gm)].map(([, uri, of]) => [of, uri]),
    );
    const mirror = mirrors.get(codename) ?? mirrors.get('stable') ?? [...mirrors.values()][0];
    if (!mirror) throw new Error("the machine's apt sources name no Debian mirror");
    const keyring = globSync('/usr/share/keyrings/debian-archive-keyring.{gpg,pgp}')[0];
    const trust = keyring ? `signed-by=${keyring}` : 'trusted=yes';
    await writeFile(join(apt, 'sources.list'), `deb [${trust}] ${mirror} ${suite} main\n`);

    // The machine's proxies and the like are kept, its hooks and its installed packages are not.
    const acquire = await run('apt-config', ['dump', 'Acquire']);
    const own = {
      'Dir::Etc::main': '/dev/null',
      'Dir::Etc::parts': '/dev/null',
      'Dir::Etc::preferences': '/dev/null',
      'Dir::Etc::preferencesparts': '/dev/null',
      'Dir::Etc::sourcelist': join(apt, 'sources.list'),
      'Dir::Etc::sourceparts': '/dev/null',
      'Dir::State': apt,
      'Dir::State::status': join(apt, 'status'),
      'Dir::Cache': apt,
      'Dir::Log': apt,
      'APT::Sandbox::User': 'root',
      'APT::Install-Recommends': 'false',
      'Acquire::Languages': 'none',
      'Acquire::Retries': '3',
      'Debug::NoLocking': 'true',
    };
    const lines = Object.entries(own).map(([name, value]) => `${name} "${value}";`);
    await writeFile(join(apt, 'apt.conf'), `${acquire.stdout}${lines.join('\n')}\n`);
    const env = { ...process.env, APT_CONFIG: join(apt, 'apt.conf'), LC_ALL: 'C' };
    for (let attempt = 1; ; attempt++) {
      try {
        await run('apt-get', ['--error-on=any', 'update'], { env });
        await run('apt-get', ['--assume-yes', '--download-only', 'install', packageName], { env, maxBuffer: 16 << 20 });
        break;
      } catch (error) {
        // A mirror that moved on between the index and the packages: once more, with a new index.
        if (attempt === 3) throw error;
        await sleep(attempt * 3_000);
      }
    }
    for (const file of globSync('archives/*.deb', { cwd: apt })) {
      await run('dpkg-deb', ['--extract', join(apt, file), folder]);
    }
    await rm(apt, { recursive: true });
  });
}

/**
 * `.servers/NAME`, made by `make` where it is not there; it gets its name only when it is whole. One process at
 * a time makes it: the lock is touched every second by its owner, so that a killed owner's is known by its age.
 */
async function cached(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder, name);
  const lock = `${folder}.lock`;
  const unfinished = `${folder}.unfinished`;
  await mkdir(cacheFolder, { recursive: true });
  while (!existsSync(folder)) {
    if (!(await take(lock))) {
      await sleep(100);
      continue;
    }
    const touch = setInterval(() => utimes(lock, new Date(), new Date()).catch(() => {}), 1_000);
    try {
      await rm(unfinished, { recursive: true, force: true });
      await mkdir(unfinished);
      await make(unfinished);
      await rename(unfinished, folder);
    } finally {
      clearInterval(touch);
      await rm(unfinished, { recursive: true, force: true });
      await rm(lock, { force: true });
    }
  }
  return folder;
}

async function take(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, '', { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const touched = await stat(lock).then(
    ({ mtimeMs }) => mtimeMs,
    () => Date.now(),
  );
  if (touched < Date.now() - 10_000) await rm(lock, { force: true });
  return false;
}
