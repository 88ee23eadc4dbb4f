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
    parseInventory(Buffer.from(typeof inventory === 'string' ? inventory : JSON.stringify(inventory)), options);
  } catch (error) {
    const [head, ...list] = (error as Error).message.split('\n');
    assert.equal(head, 'the inventory is refused:');
    return list.map(line => line.slice(2));
  }
  return [];
}

test('inventory.example.json is valid', () => {
  const { databases } = parseInventory(fs.readFileSync(new URL('../inventory.example.json', import.meta.url)));
  assert.deepEqual(
    databases.map(database => [database.id, database.port, database.tls, database.worker]),
    [
      ['orders-prod', 3306, 'verify', 'db-admin-report-worker'],
      ['billing-prod', 1433, 'verify', 'db-admin-report-worker'],
    ],
  );
});

test('a byte order mark is accepted', () => {
  assert.equal(parseInventory(Buffer.from(`\uFEFF${JSON.stringify({ databases: [good] })}`)).databases.length, 1);
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

const portRule = 'databases[0] (orders).port: must be a whole number from 1 to 65535';
const refused: [string, unknown, (string | RegExp)[]][] = [
  ['a list', [good], ['must be an object with the field "databases"']],
  ['no databases', {}, ['databases: must be a list']],
  ['an empty list', { databases: [] }, ['databases: must name at least one database']],
  ['an unknown top field', { databases: [good], version: 1 }, ['version: unknown field']],
  ['an unknown field', { databases: [{ ...good, prot: 1 }] }, ['databases[0] (orders).prot: unknown field']],
  [
    'a field of Object.prototype',
    `{"databases":[${JSON.stringify(good).slice(0, -1)},"constructor":1}]}`,
    ['databases[0] (orders).constructor: unknown field'],
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
    ['databases[2] (orders).id: is already the id of databases[0] (orders)'],
  ],
  ['a bad id', { databases: [{ ...good, id: 'a b' }] }, [/^databases\[0\]\.id: must be letters/]],
  ['an id with a line end', { databases: [{ ...good, id: 'a\n' }] }, [/^databases\[0\]\.id: must be letters/]],
  [
    'an account as a number',
    { databases: [{ ...good, account: 111122223333 }] },
    [/^databases\[0\] \(orders\)\.account: must be 12 digits/],
  ],
  [
    'a bad region',
    { databases: [{ ...good, region: 'us-east-1a' }] },
    [/^databases\[0\] \(orders\)\.region: must be an AWS region/],
  ],
  [
    'a bad engine',
    { databases: [{ ...good, engine: 'postgres' }] },
    [/^databases\[0\] \(orders\)\.engine: must be "mysql"/],
  ],
  [
    'a host with a port',
    { databases: [{ ...good, host: 'db:3306' }] },
    [/^databases\[0\] \(orders\)\.host: must be a host name/],
  ],
  [
    'a URL as host',
    { databases: [{ ...good, host: 'mysql://db' }] },
    [/^databases\[0\] \(orders\)\.host: must be a host name/],
  ],
  [
    'a parameter elsewhere',
    { databases: [{ ...good, credentials: 'ssm:/other/orders' }] },
    [/^databases\[0\] \(orders\)\.credentials: must be "ssm:/],
  ],
  [
    'env: in AWS',
    { databases: [{ ...good, credentials: 'env:ORDERS' }] },
    ['databases[0] (orders).credentials: "env:" is read with --local alone'],
  ],
  [
    'a bad tls',
    { databases: [{ ...good, tls: true }] },
    ['databases[0] (orders).tls: must be "verify", "trust" or "off"'],
  ],
  [
    'another function',
    { databases: [worker('db-admin-report-orchestrator')] },
    [/^databases\[0\] \(orders\)\.worker: must be a function name/],
  ],
  [
    'an alias',
    { databases: [worker(`${arn('us-east-1', '111122223333')}:live`)] },
    [/^databases\[0\] \(orders\)\.worker: must be a function name/],
  ],
  [
    'a worker elsewhere',
    { databases: [worker(arn('us-east-1', '999999999999'))] },
    [/^databases\[0\] \(orders\)\.worker: the function must be in the database's own/],
  ],
  [
    'a worker in another region',
    { databases: [worker(arn('eu-west-1', '111122223333'))] },
    [/^databases\[0\] \(orders\)\.worker: the function must be in/],
  ],
  [
    'a named instance',
    {
      databases: [
        { ...good, host: 'db\\PROD' },
        { ...good, id: 'b', host: 'db,1434' },
      ],
    },
    [/^databases\[0\] \(orders\)\.host: .*by its fixed port, in "port"$/, /^databases\[1\] \(b\)\.host: .*fixed port/],
  ],
  [
    'an entry that is also excluded',
    { databases: [good], excluded: [{ host: 'ORDERS.example.com', reason: 'x' }] },
    ['databases[0] (orders).host: is in excluded[0] too: it is either read or left out'],
  ],
  [
    'an exclusion without its reason',
    {
      databases: [good],
      excluded: [{ host: 'a.example.com', reason: ' ' }, { host: 'b.example.com' }, { reason: 'x', hots: 1 }, 'c'],
    },
    [
      'excluded[0].reason: must be a text of 1 to 500 characters',
      'excluded[1].reason: is required; must be a text of 1 to 500 characters',
      'excluded[2].hots: unknown field',
      /^excluded\[2\]\.host: is required/,
      'excluded[3]: must be an object',
    ],
  ],
  ['exclusions that are no list', { databases: [good], excluded: {} }, ['excluded: must be a list']],
  [
    'several faults at once',
    {
      databases: [
        { ...good, id: undefined, port: 'x' },
        { ...good, host: '', tls: 'no' },
      ],
    },
    [
      /^databases\[0\]\.id: is required/,
      /^databases\[0\]\.port/,
      /^databases\[1\] \(orders\)\.host/,
      /^databases\[1\] \(orders\)\.tls/,
    ],
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

const regions = [
  ...['us-east-1', 'us-west-2', 'us-gov-west-1', 'us-gov-east-1', 'us-iso-east-1', 'us-isob-east-1', 'us-isof-south-1'],
  ...[
    'eu-central-2',
    'eu-south-1',
    'eu-isoe-west-1',
    'eusc-de-east-1',
    'ap-northeast-3',
    'ap-southeast-7',
    'ap-east-2',
  ],
  ...[
    'af-south-1',
    'ca-west-1',
    'cn-north-1',
    'cn-northwest-1',
    'il-central-1',
    'me-south-1',
    'mx-central-1',
    'sa-east-1',
  ],
];
test('the regions of AWS are accepted, slips are not', () => {
  const check = (region: string) => faults({ databases: [{ ...good, region }] });
  for (const region of regions) assert.deepEqual(check(region), [], region);
  for (const region of [
    'us-esat-1',
    'eu-westt-1',
    'us-east',
    'us-east-1a',
    'use-east-1',
    'xx-east-1',
    'us-east-123',
    'us-northcentral-1',
  ])
    assert.deepEqual(check(region), ['databases[0] (orders).region: must be an AWS region such as us-east-1'], region);
});

test('bytes that are no UTF-8 are refused, not replaced', () => {
  const bytes = Buffer.from(JSON.stringify({ databases: [{ ...good, account_name: 'Z\u00fcrich' }] }), 'latin1');
  assert.throws(() => parseInventory(bytes), /^Error: the inventory is refused:\n {2}must be UTF-8/);
});

test('what is left out on purpose', () => {
  const excluded = [{ host: 'Test.example.com', reason: 'a copy' }];
  const parsed = parseInventory(Buffer.from(JSON.stringify({ databases: [good], excluded })));
  assert.deepEqual(parsed.excluded, excluded);
  assert.deepEqual(parseInventory(Buffer.from(JSON.stringify({ databases: [good] }))).excluded, []);
});

test('a credential, a name of an account or a worker has an end', () => {
  for (const [field, value] of Object.entries({
    account_name: 'x'.repeat(257),
    credentials: `ssm:/db-admin-report/${'x'.repeat(901)}`,
    region: `us-${'east-'.repeat(99)}1`,
    host: `${'x.'.repeat(127)}com`,
    worker: `arn:aws${'-x'.repeat(99)}:lambda:us-east-1:111122223333:function:db-admin-report-worker`,
  }))
    assert.match(
      faults({ databases: [{ ...good, [field]: value }] }).join('\n'),
      new RegExp(`^databases\\[0\\] \\(orders\\)\\.${field}: `),
    );
});

test('env: is accepted with --local', () => {
  assert.deepEqual(faults({ databases: [{ ...good, credentials: 'env:ORDERS' }] }, { local: true }), []);
});

const notJson: [string, RegExp][] = [
  ['', /^Unexpected end of JSON input$/],
  ['{"a": 1,\n  "b" 2}', /\(line 2 column 7\)$/],
  ['{"a": 1,\n  }', /\(line 2 column 3\)$/],
  ['[1 2]', /\(line 1 column 4\)$/],
  ['{} {}', /\(line 1 column 4\)$/],
  ['{"a": {"b": 1,\n "b": 2}}', /^the name "b" stands twice in one object \(line 2 column 2\)$/],
  ['{"a": 1, "\\u0061": 2}', /^the name "\\u0061" stands twice in one object \(line 1 column 10\)$/],
  ['[{"a": 1}, {"b\\"": {"a": [{}]}, "c": 1, "b\\u0022" : 2}]', /^the name "b\\u0022" stands twice .* column 41\)$/],
  ['{"__proto__": 1, "__proto__": 2}', /^the name "__proto__" stands twice/],
  ['{"": 1, "": 2}', /^the name "" stands twice/],
];
for (const [json, message] of notJson) {
  test(`not JSON: ${JSON.stringify(json)}`, () => assert.throws(() => parseJson(json), { message }));
}

const json = [
  '{"a":[1,-2.5e+3,0,true,false,null,"\\u00e9\\n\\"x"],"b":{},"c":[]}',
  ' [ ] ',
  '"x"',
  '-0.1E-2',
  '{"__proto__": {"a": 1}}',
  '\t{\r\n"a" : "\u2028" }\n',
  '[{"a": "a\\": {[", "b": {"a": 1}}, {"a": ["a", "a"], "c": "a:"}, "a"]',
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
  assert.throws(() => parseJson(twice), /the name "\\u0064atabases" stands twice in one object/);
});
