/** The pages say what the code does: flags, columns and fields in both directions, links, tables, and the SQL as it is printed. */
import assert from 'node:assert/strict';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { options } from '../cli.ts';
import { columns } from '../orchestrator.ts';
import { readReport, root, runCli } from './command.ts';
import { type Server, startMariadb, startMysql } from './servers.ts';

const pages = globSync(['*.md', 'docs/*.md', 'queries/*.md', 'test/*.md'], { cwd: root });
const text = (page: string) => readFileSync(join(root, page), 'utf8');
const sorted = (names: Iterable<string>) => [...new Set(names)].sort();

/** A page without its blocks of code. */
const prose = (page: string) => text(page).replace(/^```.*?^```$/gms, '');

describe('the README', () => {
  const readme = text('README.md');

  test('can be read in ten minutes', () => {
    assert.ok(readme.split('\n').length <= 260);
  });

  test('names every flag of the command, and no other', () => {
    const named = [...readme.replace('npx --prefix', 'npx').matchAll(/(?<![\w-])--([a-z][a-z0-9-]*)/g)].map(
      ([, flag]) => flag!,
    );
    assert.deepEqual(sorted(named), sorted(Object.keys(options)));
  });

  test('names every column of a report, in order', () => {
    const table = readme.slice(readme.indexOf('## Reading a report'));
    const named = [...table.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, cell]) => cell!.match(/\w+/g)!);
    // The columns that a reader asks for together stand in one line.
    assert.deepEqual(named, columns);
  });

  test('names every field of an inventory that the example has, and that are all', () => {
    const table = readme.slice(readme.indexOf('## The inventory'), readme.indexOf('## Reading a report'));
    const named = [...table.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, cell]) => cell!.match(/\w+/g)!);
    const example = JSON.parse(text('inventory.example.json'));
    assert.deepEqual(sorted(named), sorted(example.databases.flatMap(Object.keys)));
    for (const key of Object.keys(example)) assert.match(table, new RegExp(`\`${key}\``));
  });
});

describe('every page', () => {
  /** As GitHub makes it of a heading. */
  const anchor = (heading: string) =>
    heading
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');

  for (const page of pages) {
    test(`${page}: links lead somewhere`, () => {
      for (const [, target] of prose(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https:/.test(target!)) continue;
        const [file, fragment] = target!.split('#');
        const place = file ? join(dirname(page), file) : page;
        assert.ok(existsSync(join(root, place)), `${target}: there is no ${place}`);
        if (!fragment) continue;
        const headings = [...prose(place).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchor(heading!));
        assert.ok(headings.includes(fragment), `${target}: ${place} has no such heading`);
      }
    });

    test(`${page}: tables are whole`, () => {
      const lines = prose(page).split('\n');
      const cells = (line: string) => line.replace(/\\\|/g, '').split('|').length;
      for (const [i, line] of lines.entries()) {
        if (!line.startsWith('|')) {
          const table = lines[i - 1]?.startsWith('|');
          assert.ok(!table || line === '', `line after a table must be blank: ${line}`);
          continue;
        }
        if (lines[i - 1]?.startsWith('|')) assert.equal(cells(line), cells(lines[i - 1]!), line);
        else {
          assert.ok(!lines[i - 1], `the line before a table must be blank: ${lines[i - 1]}`);
          assert.match(lines[i + 1]!, /^\|( ---:? \|)+$/);
        }
      }
    });
  }
});

describe('the logins of queries/README.md', () => {
  const blocks = [...text('queries/README.md').matchAll(/^```sql\n-- (.*?)\n(.*?)^```$/gms)].map(([, title, sql]) => ({
    title: title!,
    statements: sql!
      .replace(/^--.*\n/gm, '')
      .split(/;\s*\n/)
      .map(statement => statement.trim())
      .filter(Boolean),
  }));
  const servers = new Map<string, Server>();
  const folder = mkdtempSync(join(tmpdir(), 'pages-'));
  after(() => Promise.all([...servers.values()].map(server => server.stop())));
  after(() => rmSync(folder, { recursive: true }));

  test('there are blocks for each engine', () => {
    for (const engine of ['MySQL 8', 'MySQL 5.7', 'MariaDB', 'SQL Server'])
      assert.ok(
        blocks.some(({ title }) => title.startsWith(engine)),
        engine,
      );
  });

  // 5.7's statements are fewer of the same; SQL Server's cannot run here.
  for (const { title, statements } of blocks.filter(({ title }) => /^(MySQL|MariaDB)/.test(title))) {
    test(`${title}: runs as it is printed, and what it makes sees everything`, async () => {
      const engine = /^MariaDB/.test(title) ? 'mariadb' : 'mysql';
      if (!servers.has(engine)) servers.set(engine, await (engine === 'mariadb' ? startMariadb() : startMysql()));
      const server = servers.get(engine)!;
      for (const statement of statements) await server.query(statement);
      const [, username, password] = /CREATE USER '(\w+)'@'%' IDENTIFIED BY '([^']+)'/.exec(statements[0]!) ?? [];
      assert.ok(username && password);
      const database = { id: 'db', account: '111122223333', region: 'us-east-1', engine: 'mysql', host: 'localhost' };
      const entry = { ...database, port: server.port, credentials: 'env:LOGIN' };
      const inventory = join(folder, 'inventory.json');
      writeFileSync(inventory, JSON.stringify({ databases: [entry] }));
      const { code, stdout, stderr } = await runCli(['--local', '--inventory', inventory, '--out', folder, '--json'], {
        env: { ...process.env, LOGIN: JSON.stringify({ username, password, ca: server.ca }) },
      });
      // What is asked for in 5.7 alone lacks the tables of later versions, and the report says so.
      if (title.startsWith('MySQL 5.7')) assert.equal(code, 3, stderr);
      else assert.equal(code, 0, `${stdout}${stderr}`);
      const { report } = JSON.parse(stdout);
      const rows = await readReport(readFileSync(report));
      if (code === 0) assert.ok(rows.some(row => row.principal === 'root@localhost' && row.extent === 'full'));
      await server.query(`DROP USER '${username}'@'%'`);
    });
  }
});

describe('half an hour to read it all', () => {
  test('the three files stay under 3,100 lines', () => {
    const lines = ['cli.ts', 'orchestrator.ts', 'worker.ts'].map(file => text(file).split('\n').length - 1);
    assert.ok(lines.reduce((sum, count) => sum + count) <= 3100, lines.join(' + '));
  });

  for (const file of globSync('queries/*.sql', { cwd: root })) {
    test(`${file}: no line is longer than 160 characters`, () => {
      for (const [i, line] of text(file).split('\n').entries()) assert.ok(line.length <= 160, `line ${i + 1}`);
    });
  }
});
