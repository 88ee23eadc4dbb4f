/**
 * `npm run demo`: a small company with a real MySQL and a real MariaDB on this machine, the real command run on them, and
 * its report checked. The report and its manifest stay in demo/.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandLine, readReport, root } from './command.ts';
import { type Server, startMariadb, startMysql } from './servers.ts';

const folder = join(root, 'demo');
const auditor = { username: 'auditor', password: randomBytes(12).toString('hex') };
const secret = () => `'${randomBytes(12).toString('hex')}'`;

const people = [
  'CREATE DATABASE shop',

  `CREATE USER auditor@'%' IDENTIFIED BY '${auditor.password}'`,
  "GRANT SELECT ON mysql.* TO auditor@'%'",

  `CREATE USER dora@'%' IDENTIFIED BY ${secret()}`,
  "GRANT ALL ON *.* TO dora@'%' WITH GRANT OPTION",

  // Reads and writes the shop's data, and nothing more: not in the report.
  `CREATE USER shop_app@'10.0.%' IDENTIFIED BY ${secret()}`,
  "GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO shop_app@'10.0.%'",

  // Left the company: locked, but the rights are still there.
  `CREATE USER leo@'%' IDENTIFIED BY ${secret()}`,
  "GRANT ALL ON *.* TO leo@'%'",
  "ALTER USER leo@'%' ACCOUNT LOCK",

  // Meant for the schemas marketing, metrics, ...; `mysql` begins with an m as well.
  `CREATE USER migrations@'10.0.%' IDENTIFIED BY ${secret()}`,
  "GRANT ALL ON `m%`.* TO migrations@'10.0.%'",

  `CREATE USER sara@'%' IDENTIFIED BY ${secret()}`,
  "GRANT ALL ON shop.* TO sara@'%' WITH GRANT OPTION",

  // Holds nothing itself: on call, the role leads to another one that administers accounts.
  `CREATE USER omar@'%' IDENTIFIED BY ${secret()}`,
  'CREATE ROLE on_call',
  'CREATE ROLE account_admin',
  'GRANT CREATE USER ON *.* TO account_admin',
  'GRANT account_admin TO on_call',
  "GRANT on_call TO omar@'%'",
];

const started = performance.now();
console.log('Starting a MySQL and a MariaDB on this machine (the first run fetches them) ...');
const servers: Server[] = [];
try {
  for (const starting of await Promise.allSettled([startMysql(), startMariadb()])) {
    if (starting.status === 'rejected') throw starting.reason;
    servers.push(starting.value);
  }
  const [orders, ledger] = servers as [Server, Server];
  for (const server of servers) for (const statement of people) await server.query(statement);
  console.log(`MySQL ${orders.version} and MariaDB ${ledger.version} run, with the accounts of a small company.\n`);

  await mkdir(folder, { recursive: true });
  const databases = [
    { id: 'orders-prod', account: '111122223333', account_name: 'shop-prod', region: 'us-east-1', server: orders },
    { id: 'ledger-prod', account: '444455556666', account_name: 'finance-prod', region: 'eu-west-1', server: ledger },
  ].map(({ server, ...database }) => ({
    ...database,
    engine: 'mysql',
    host: server.host,
    port: server.port,
    credentials: `env:${server === orders ? 'DEMO_ORDERS' : 'DEMO_LEDGER'}`,
  }));
  await writeFile(join(folder, 'inventory.json'), `${JSON.stringify({ databases }, null, 2)}\n`);

  process.exitCode = await type('--local', '--inventory', 'demo/inventory.json', '--out', 'demo');
  if (process.exitCode === 0 || process.exitCode === 3) {
    // A name holds the time of its run, so the last by name is the last made.
    const [report] = (await readdir(folder))
      .filter(file => file.endsWith('.csv'))
      .sort()
      .reverse();
    if (!report) throw new Error('the command left no report in demo/');
    await printReport(join(folder, report));
    const verified = await type('--verify', `demo/${report}`);
    process.exitCode ||= verified;
  }

  /** Runs the command with these arguments, as it is typed. */
  async function type(...args: string[]): Promise<number> {
    const [program, typed] = commandLine(args);
    console.log(`$ ${[program, ...typed].join(' ')}`);
    const child = spawn(program, typed, {
      cwd: root,
      stdio: 'inherit',
      env: {
        ...process.env,
        DEMO_ORDERS: JSON.stringify({ ...auditor, ca: orders.ca }),
        DEMO_LEDGER: JSON.stringify({ ...auditor, ca: ledger.ca }),
      },
    });
    const [code] = await once(child, 'exit');
    console.log();
    return code ?? 1;
  }
} finally {
  await Promise.all(servers.map(server => server.stop()));
}
console.log(`The servers are stopped; all of it took ${((performance.now() - started) / 1000).toFixed(0)} s.`);

/** A report's rows in lines of 100 columns: the last column is cut to what is left for it. */
async function printReport(file: string) {
  const shown = ['database_id', 'principal', 'scope', 'extent', 'owner', 'enabled', 'privileges'];
  const rows = await readReport(await readFile(file));
  const cells = rows.map(row => [
    ...shown.slice(0, -1).map(column => (column === 'principal' && !row.principal ? `(${row.result})` : row[column]!)),
    row.privileges || row.detail!,
  ]);
  const table = [shown.map(column => column.replace(/_id$/, '').toUpperCase()), ...cells];
  const widths = shown.slice(0, -1).map((_, column) => Math.max(...table.map(line => line[column]!.length)));
  for (const line of table) {
    const text = line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
    console.log(text.length > 100 ? `${text.slice(0, 99)}…` : text);
  }
  console.log(`\n${rows.length} rows, in short; whole ones, and the manifest beside them, in demo/\n`);
}
