// The inventory: what is accepted, and that a bad one is refused as a whole, with every fault by its place.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { parseInventory, parseJson } from '../orchestrator.ts';

const good = {
  id: 'orders',
  account: '111122223333',
  region: 'us-east-1',
  engine: 'mysql',
  host: 'orders.example.com',
  credentials: 'ssm:/db-admin-report/orders',
};

function faults(inventory: unknown, options?: { local: boolean }): string[] {
  try {
    parseInventory(typeof inventory === 'string' ? inventory : JSON.stringify(inventory), options);
  } catch (error) {
    const [head, ...list] = (error as Error).message.split('\n');
    assert.equal(head, 'the inventory is refused:');
    return list.map(line => line.slice(2));
  }
  return [];
}

test('inventory.example.json is valid', () => {
  const databases = parseInventory(fs.readFileSync(new URL('../inventory.example.json', import.meta.url), 'utf8'));
  assert.deepEqual(
    databases.map(database => [database.id, database.port, database.tls, database.worker]),
    [
      ['orders-prod', 3306, 'verify', 'db-admin-report-worker'],
      ['billing-prod', 1433, 'verify', 'db-admin-report-worker'],
    ],
  );
});

test('a byte order mark is accepted', () => {
  assert.equal(parseInventory(`\uFEFF${JSON.stringify({ databases: [good] })}`).length, 1);
});

const worker = (name: string) => ({ ...good, worker: name });
const arn = (region: string, account: string, name = 'db-admin-report-worker') =>
  `arn:aws:lambda:${region}:${account}:function:${name}`;

const accepted: [string, object][] = [
  [
    'every field',
    { ...good, account_name: 'Shop, "prod"', port: 65535, tls: 'trust', worker: 'db-admin-report-worker-b' },
  ],
  ['an address', { ...good, host: '10.1.2.3' }],
  ['an IPv6 address', { ...good, host: 'fd00::1' }],
  ['a short name', { ...good, host: 'db' }],
  ['a secret', { ...good, credentials: 'secretsmanager:rds!db-1/x+y=z.@-_' }],
  ['a region of GovCloud', { ...good, region: 'us-gov-west-1' }],
  ['a whole ARN', worker(arn('us-east-1', '111122223333', 'db-admin-report-worker-2'))],
];
for (const [name, database] of accepted) {
  test(`accepted: ${name}`, () => assert.deepEqual(faults({ databases: [database] }), []));
}

const portRule = 'databases[0].port: must be a whole number from 1 to 65535';
const refused: [string, unknown, (string | RegExp)[]][] = [
  ['a list', [good], ['must be an object with the field "databases"']],
  ['no databases', {}, ['databases: must be a list']],
  ['an empty list', { databases: [] }, ['databases: must name at least one database']],
  ['an unknown top field', { databases: [good], version: 1 }, ['version: unknown field']],
  ['an unknown field', { databases: [{ ...good, prot: 1 }] }, ['databases[0].prot: unknown field']],
  [
    'a field of Object.prototype',
    `{"databases":[${JSON.stringify(good).slice(0, -1)},"constructor":1}]}`,
    ['databases[0].constructor: unknown field'],
  ],
  [
    'no object',
    { databases: [good, null, 'x'] },
    ['databases[1]: must be an object', 'databases[2]: must be an object'],
  ],
  ['a port of text', { databases: [{ ...good, port: '3306' }] }, [portRule]],
  ['a port of 0', { databases: [{ ...good, port: 0 }] }, [portRule]],
  ['a port too large', { databases: [{ ...good, port: 65536 }] }, [portRule]],
  ['half a port', { databases: [{ ...good, port: 33.5 }] }, [portRule]],
  ['null for a field', { databases: [{ ...good, port: null }] }, [portRule]],
  [
    'a duplicate id',
    { databases: [good, { ...good, id: 'x' }, good] },
    ['databases[2].id: "orders" is already the id of databases[0]'],
  ],
  ['a bad id', { databases: [{ ...good, id: 'a b' }] }, [/^databases\[0\]\.id: must be letters/]],
  ['an id with a line end', { databases: [{ ...good, id: 'a\n' }] }, [/^databases\[0\]\.id: must be letters/]],
  [
    'an account as a number',
    { databases: [{ ...good, account: 111122223333 }] },
    [/^databases\[0\]\.account: must be 12 digits/],
  ],
  [
    'a bad region',
    { databases: [{ ...good, region: 'us-east-1a' }] },
    [/^databases\[0\]\.region: must be an AWS region/],
  ],
  ['a bad engine', { databases: [{ ...good, engine: 'postgres' }] }, [/^databases\[0\]\.engine: must be "mysql"/]],
  ['a host with a port', { databases: [{ ...good, host: 'db:3306' }] }, [/^databases\[0\]\.host: must be a host name/]],
  ['a URL as host', { databases: [{ ...good, host: 'mysql://db' }] }, [/^databases\[0\]\.host: must be a host name/]],
  [
    'a parameter elsewhere',
    { databases: [{ ...good, credentials: 'ssm:/other/orders' }] },
    [/^databases\[0\]\.credentials: must be "ssm:/],
  ],
  [
    'env: in AWS',
    { databases: [{ ...good, credentials: 'env:ORDERS' }] },
    ['databases[0].credentials: "env:" is read with --local alone'],
  ],
  ['a bad tls', { databases: [{ ...good, tls: true }] }, ['databases[0].tls: must be "verify", "trust" or "off"']],
  [
    'another function',
    { databases: [worker('db-admin-report-orchestrator')] },
    [/^databases\[0\]\.worker: must be a function name/],
  ],
  [
    'an alias',
    { databases: [worker(`${arn('us-east-1', '111122223333')}:live`)] },
    [/^databases\[0\]\.worker: must be a function name/],
  ],
  [
    'a worker elsewhere',
    { databases: [worker(arn('us-east-1', '999999999999'))] },
    [/^databases\[0\]\.worker: the function must be in the database's own/],
  ],
  [
    'a worker in another region',
    { databases: [worker(arn('eu-west-1', '111122223333'))] },
    [/^databases\[0\]\.worker: the function must be in/],
  ],
  [
    'several faults at once',
    {
      databases: [
        { ...good, id: undefined, port: 'x' },
        { ...good, host: '', tls: 'no' },
      ],
    },
    [/^databases\[0\]\.id: is required/, portRule, /^databases\[1\]\.host/, /^databases\[1\]\.tls/],
  ],
];
for (const [name, inventory, expected] of refused) {
  test(`refused: ${name}`, () => {
    const found = faults(inventory);
    assert.equal(found.length, expected.length, found.join('\n'));
    for (const [i, fault] of expected.entries()) {
      if (typeof fault === 'string') assert.equal(found[i], fault);
      else assert.match(found[i]!, fault);
    }
  });
}

test('env: is accepted with --local', () => {
  assert.deepEqual(faults({ databases: [{ ...good, credentials: 'env:ORDERS' }] }, { local: true }), []);
});

const notJson: [string, string][] = [
  ['', 'line 1, column 1: it ends too early'],
  ['{"a": 1,\n  "b" 2}', 'line 2, column 7: expected ":"'],
  ['{"a": 1,\n  }', 'line 2, column 3: expected a field name in double quotes'],
  ['{"a": [1, 2\n', 'line 2, column 1: it ends too early'],
  ['[1 2]', 'line 1, column 4: expected "," or "]"'],
  ['{"a": tru}', 'line 1, column 7: expected a value'],
  ["{'a': 1}", 'line 1, column 2: expected a field name in double quotes'],
  ['{"a": 01}', 'line 1, column 7: expected a value'],
  ['{"a": "x\ny"}', 'line 1, column 7: expected a value'],
  ['{} {}', 'line 1, column 4: expected nothing more'],
  ['// databases\n{}', 'line 1, column 1: expected a value'],
  ['{"a": {"b": 1,\n "b": 2}}', 'line 2, column 2: the field "b" stands twice in one object'],
  ['{"a": 1, "\\u0061": 2}', 'line 1, column 10: the field "a" stands twice in one object'],
];
for (const [json, where] of notJson) {
  test(`not JSON: ${JSON.stringify(json)}`, () =>
    assert.throws(() => parseJson(json), { message: `not JSON at ${where}` }));
}

const json = [
  '{"a":[1,-2.5e+3,0,true,false,null,"\\u00e9\\n\\"x"],"b":{},"c":[]}',
  ' [ ] ',
  '"x"',
  '-0.1E-2',
  '{"__proto__": {"a": 1}}',
  '\t{\r\n"a" : "\u2028" }\n',
];
for (const text of json) {
  test(`JSON: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(parseJson(text), JSON.parse(text));
    assert.equal(JSON.stringify(parseJson(text)), JSON.stringify(JSON.parse(text)));
  });
}

test('a field that stands twice is found where V8 takes an escaped name for another one that it has seen', () => {
  JSON.parse(String.raw`{"databases":1,"\\u0064ata":1}`);
  const twice = String.raw`{"databases":1,"\u0064atabases":2}`;
  assert.throws(() => parseJson(twice), /the field "databases" stands twice in one object/);
});
