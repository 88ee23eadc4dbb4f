/**
 * template.yaml as CloudFormation reads it: what each Role makes, who may do what, and that this is what the code needs,
 * no more and no less.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { InvokeWithResponseStreamCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { isNode, isPair, isScalar, isSeq, parseDocument, visit, type YAMLSeq } from 'yaml';
import { bucket, caller, startAws } from './aws.ts';

// biome-ignore lint/suspicious/noExplicitAny: a template is any YAML
type Any = any;

const root = join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

// ---- CloudFormation, as far as this template goes ------------------------------------------------------------------

const shortForms = 'Ref Condition Sub GetAtt If Equals And Or Not Select Split Join'.split(' ').flatMap(name => {
  const key = name === 'Ref' || name === 'Condition' ? name : `Fn::${name}`;
  return [
    { tag: `!${name}`, resolve: (text: string) => ({ [key]: text }) },
    { tag: `!${name}`, collection: 'seq' as const, resolve: (list: Any) => ({ [key]: list.toJSON() }) },
  ];
});
const document = parseDocument(read('template.yaml'), { customTags: shortForms });
const template: Any = document.toJSON();
const { Parameters, Rules, Conditions, Resources, Outputs } = template;

const hub = '209371858707';
const shop = '111122223333';
const region = 'eu-west-1';

type Deployment = { resources: Record<string, Any>; outputs: Record<string, string> };

/** What a stack with these parameters is made of, everything in it resolved; or the error of CloudFormation. */
function deploy(given: Record<string, string>, account = hub): Deployment {
  const parameters = new Map(
    Object.entries<Any>(Parameters).map(([name, parameter]) => {
      const value = given[name] ?? parameter.Default;
      if (value === undefined) throw new Error(`Parameters: [${name}] must have values`);
      return [name, accepted(name, String(value))] as const;
    }),
  );
  for (const name of Object.keys(given)) if (!(name in Parameters)) throw new Error(`there is no parameter ${name}`);
  const pseudo: Record<string, string> = {
    'AWS::Partition': 'aws',
    'AWS::Region': region,
    'AWS::AccountId': account,
    'AWS::URLSuffix': 'amazonaws.com',
  };

  for (const { RuleCondition, Assertions } of Object.values<Any>(Rules)) {
    if (RuleCondition !== undefined && !isTrue(RuleCondition)) continue;
    for (const { Assert, AssertDescription } of Assertions) if (!isTrue(Assert)) throw new Error(AssertDescription);
  }
  const isMade = ({ Condition }: Any) => Condition === undefined || isTrue({ Condition });
  const made = (all: Record<string, Any>) => Object.entries(all).filter(([, each]) => isMade(each));
  return {
    resources: Object.fromEntries(made(Resources).map(([id, resource]) => [id, resolve(withGlobals(resource))])),
    outputs: Object.fromEntries(made(Outputs).map(([name, output]) => [name, resolve(output.Value)])),
  };

  function isTrue(condition: Any): boolean {
    const [[key, argument]] = Object.entries<Any>(condition) as [[string, Any]];
    if (key === 'Condition') {
      assert.ok(argument in Conditions, `no condition ${argument}`);
      return isTrue(Conditions[argument]);
    }
    if (key === 'Fn::Equals') return String(resolve(argument[0])) === String(resolve(argument[1]));
    if (key === 'Fn::Not') return !isTrue(argument[0]);
    if (key === 'Fn::And') return argument.every(isTrue);
    if (key === 'Fn::Or') return argument.some(isTrue);
    throw new Error(`${key} is not a condition`);
  }

  function resolve(value: Any): Any {
    if (Array.isArray(value)) return value.map(resolve).filter(each => each !== undefined);
    if (typeof value !== 'object' || value === null) return value;
    const [[key, argument] = [], ...others] = Object.entries<Any>(value) as [string, Any][];
    if (others.length === 0 && key === 'Ref') return reference(argument);
    if (others.length === 0 && key?.startsWith('Fn::')) return intrinsic(key, argument);
    const entries = Object.entries(value).map(([name, each]) => [name, resolve(each)] as const);
    return Object.fromEntries(entries.filter(([, each]) => each !== undefined));
  }

  function intrinsic(key: string, argument: Any): Any {
    switch (key) {
      case 'Fn::If':
        return resolve(isTrue({ Condition: argument[0] }) ? argument[1] : argument[2]);
      case 'Fn::GetAtt':
        return attribute(argument);
      case 'Fn::Join':
        return resolve(argument[1]).join(argument[0]);
      case 'Fn::Split':
        return resolve(argument[1]).split(argument[0]);
      case 'Fn::Select': {
        const list = resolve(argument[1]);
        if (!(argument[0] in list))
          throw new Error(`Fn::Select cannot select nonexistent value at index ${argument[0]}`);
        return list[argument[0]];
      }
      case 'Fn::Sub': {
        const [text, own = {}] = Array.isArray(argument) ? argument : [argument];
        return text.replace(/\$\{([^}]+)\}/g, (_: string, name: string) =>
          name in own ? resolve(own[name]) : name.includes('.') ? attribute(name) : reference(name),
        );
      }
      default:
        throw new Error(`the test does not know ${key}`);
    }
  }

  function reference(name: string): string | undefined {
    if (name === 'AWS::NoValue') return undefined;
    if (name in pseudo) return pseudo[name];
    return parameters.get(name) ?? identity(name).ref;
  }

  function attribute(name: string): Any {
    const [id, key] = name.split('.') as [string, string];
    const { [key]: value } = identity(id);
    assert.ok(value !== undefined && key !== 'ref', `${id} has no attribute ${key}`);
    return value;
  }

  /** What Ref and GetAtt say of a resource: its own name, or one such as CloudFormation makes up. */
  function identity(id: string): Record<string, Any> {
    const resource = Resources[id];
    assert.ok(resource && isMade(resource), `${id} is not made`);
    const made = `stack-${id}-1a2b3c`;
    const { FunctionName, RoleName, BucketName, LogGroupName, ManagedPolicyName } = resource.Properties;
    const name = resolve(FunctionName ?? RoleName ?? BucketName ?? LogGroupName ?? ManagedPolicyName);
    switch (resource.Type) {
      case 'AWS::Serverless::Function':
        return { ref: name, Arn: `arn:aws:lambda:${region}:${account}:function:${name}` };
      case 'AWS::IAM::Role':
        return { ref: name ?? made, Arn: `arn:aws:iam::${account}:role/${name ?? made}` };
      case 'AWS::IAM::ManagedPolicy':
        return { ref: `arn:aws:iam::${account}:policy/${name ?? made}` };
      case 'AWS::S3::Bucket':
        return { ref: name ?? made.toLowerCase(), Arn: `arn:aws:s3:::${name ?? made.toLowerCase()}` };
      case 'AWS::Logs::LogGroup':
        return { ref: name, Arn: `arn:aws:logs:${region}:${account}:log-group:${name}:*` };
      case 'AWS::EC2::SecurityGroup':
        return { GroupId: `sg-of-${id}` };
      case 'AWS::EC2::VPCEndpoint':
        return {
          DnsEntries: ['', `-${region}a`].map(zone => {
            const service = resolve(resource.Properties.ServiceName).split('.').at(-1);
            return `Z1HUB:vpce-0abc-1def${zone}.${service}.${region}.vpce.amazonaws.com`;
          }),
        };
      default:
        throw new Error(`${resource.Type} is not referred to`);
    }
  }
}

/** The value of a parameter, if its own rules let it pass. */
function accepted(name: string, value: string): string {
  const { Type, AllowedPattern, AllowedValues, MinValue, MaxValue, MinLength, MaxLength } = Parameters[name];
  const fits =
    (AllowedPattern === undefined || new RegExp(AllowedPattern).test(value)) &&
    (AllowedValues === undefined || AllowedValues.map(String).includes(value)) &&
    (Type !== 'Number' || /^\d+$/.test(value)) &&
    (MinValue === undefined || Number(value) >= MinValue) &&
    (MaxValue === undefined || Number(value) <= MaxValue) &&
    (MinLength === undefined || value.length >= MinLength) &&
    (MaxLength === undefined || value.length <= MaxLength);
  if (!fits) throw new Error(`parameter ${name} does not accept ${value}`);
  return value;
}

/** SAM: what Globals says of every function, and the function's own beside it. */
function withGlobals(resource: Any): Any {
  if (resource.Type !== 'AWS::Serverless::Function') return resource;
  const common = template.Globals.Function;
  const LoggingConfig = { ...common.LoggingConfig, ...resource.Properties.LoggingConfig };
  return { ...resource, Properties: { ...common, ...resource.Properties, LoggingConfig } };
}

/** Every name that a value refers to: parameters, resources, conditions, `resource.attribute`. */
function* references(value: Any): Generator<{ condition?: string; name?: string }> {
  if (Array.isArray(value)) for (const each of value) yield* references(each);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  for (const [key, argument] of Object.entries<Any>(value)) {
    if (key === 'Ref' || key === 'Fn::GetAtt') yield { name: argument };
    else if (key === 'Condition' && typeof argument === 'string') yield { condition: argument };
    else if (key === 'Fn::Sub') {
      const [text, variables = {}] = Array.isArray(argument) ? argument : [argument];
      for (const [, name] of text.matchAll(/\$\{([^}]+)\}/g)) if (!(name in variables)) yield { name };
      yield* references(variables);
    } else {
      if (key === 'Fn::If') yield { condition: argument[0] };
      yield* references(argument);
    }
  }
}

// ---- The deployments that are looked at ----------------------------------------------------------------------------

const network = { VpcId: 'vpc-0123456789abcdef0', SubnetIds: 'subnet-0123456789abcdef0,subnet-0fedcba9876543210' };
const key = (name: string) => `arn:aws:kms:${region}:${hub}:key/${name}`;
const secret = (name: string) => `arn:aws:secretsmanager:${region}:${hub}:secret:${name}`;
const options: Record<string, string>[] = [
  { InventoryLocation: 's3://other-bucket/a/folder/inventory.json' },
  { InventoryLocation: 'ssm:/audit/inventory', InventoryKeyArn: key('inventory') },
  { ReportBucketName: 'our-reports', ReportPrefix: 'evidence/db/' },
  { ReportKeyArn: key('reports') },
  { ObjectLockDays: '400', ObjectLockMode: 'COMPLIANCE' },
  { HubMayInvoke: 'no' },
  { WorkerName: 'db-admin-report-worker-2' },
  { SecurityGroupId: 'sg-0123456789abcdef0' },
  { DatabasePort: '5306' },
  { MakeSsmEndpoint: 'yes' },
  { MakeRdsEndpoint: 'yes' },
  { PermissionsBoundaryArn: `arn:aws:iam::${hub}:policy/boundary` },
  { CredentialsKeyArn: key('credentials') },
  { SecretArns: `${secret('orders-??????')},${secret('db/crm-AbCdEf')}` },
];
const everyOption = { ...Object.assign({}, ...options), HubMayInvoke: 'yes' };
const roles = {
  hub: { Role: 'hub' },
  worker: { Role: 'worker', ...network },
  'hub-and-worker': { Role: 'hub-and-worker', ...network },
};
const deployments = Object.values(roles).flatMap(role =>
  [{}, ...options, everyOption].map(option => ({ ...role, ...option })),
);

/** The statements of a policy, each a line per action and resource: `Allow s3:GetObject arn:... {condition}`. */
function grants({ Statement }: Any): string[] {
  return [Statement].flat().flatMap(({ Effect, Action, Resource, Condition }: Any) =>
    [Action].flat().flatMap(action =>
      [Resource ?? []].flat().map(resource => {
        const condition = Condition ? ` ${JSON.stringify(Condition)}` : '';
        return `${Effect} ${action} ${resource}${condition}`;
      }),
    ),
  );
}
const roleGrants = ({ Properties }: Any) => Properties.Policies.flatMap((policy: Any) => grants(policy.PolicyDocument));

describe('the template holds together', () => {
  test('it is YAML that CloudFormation understands', () => {
    assert.deepEqual([...document.errors, ...document.warnings].map(String), []);
    assert.deepEqual(Object.keys(template), [
      ...['AWSTemplateFormatVersion', 'Transform', 'Description', 'Metadata', 'Parameters', 'Rules', 'Conditions'],
      ...['Globals', 'Resources', 'Outputs'],
    ]);
    assert.equal(template.Transform, 'AWS::Serverless-2016-10-31');
    assert.ok(template.Description.length <= 1024);
  });

  test('every reference leads somewhere, every parameter and condition is used', () => {
    const { Parameters: _, ...rest } = template;
    const found = [...references(rest)];
    const pseudo = ['AWS::NoValue', 'AWS::Partition', 'AWS::Region', 'AWS::AccountId', 'AWS::URLSuffix'];
    const names = found.flatMap(({ name }) => (name ? [name.split('.')[0]!] : []));
    const conditions = found.flatMap(({ condition }) => condition ?? []);
    const known = [...pseudo, ...Object.keys(Parameters), ...Object.keys(Resources)];
    assert.deepEqual(
      names.filter(name => !known.includes(name)),
      [],
    );
    assert.deepEqual(
      Object.keys(Parameters).filter(name => !names.includes(name)),
      [],
    );
    assert.deepEqual([...new Set(conditions)].sort(), Object.keys(Conditions).sort());
  });

  test('whatever the parameters, nothing refers to what is not made', () => {
    for (const parameters of deployments) {
      assert.doesNotThrow(() => deploy(parameters), JSON.stringify(parameters));
    }
  });

  test('no resource waits for itself', () => {
    const waitsFor = (id: string) =>
      [...references(Resources[id])].flatMap(({ name }) => name?.split('.')[0] ?? []).filter(name => name in Resources);
    const visitFrom = (id: string, path: string[]): void => {
      assert.ok(!path.includes(id), `${[...path, id].join(' > ')}`);
      for (const next of waitsFor(id)) visitFrom(next, [...path, id]);
    };
    for (const id of Object.keys(Resources)) visitFrom(id, []);
  });

  test('nothing depends on a resource with DependsOn: a false condition there would take the dependent with it', () => {
    for (const [id, { DependsOn }] of Object.entries<Any>(Resources)) assert.equal(DependsOn, undefined, id);
  });
});

describe('parameters', () => {
  test('each says what it is for and what it takes', () => {
    for (const [name, parameter] of Object.entries<Any>(Parameters)) {
      assert.ok(parameter.Description.length > 20 && parameter.Description.length <= 4000, name);
      const bounds = ['AllowedPattern', 'AllowedValues', 'MinValue', 'MinLength'].filter(bound => bound in parameter);
      assert.ok(bounds.length > 0, `${name} takes anything`);
      if ('AllowedPattern' in parameter) {
        assert.match(parameter.AllowedPattern, /^\^.*\$$/, name);
        assert.ok(parameter.ConstraintDescription, `${name} does not say what its pattern means`);
      }
      if (name !== 'Role') accepted(name, String(parameter.Default));
    }
    assert.throws(() => deploy({}), /\[Role\] must have values/);
    assert.equal(Parameters.HubAccountId.Default, '209371858707');
    assert.match(Parameters.Control.Default, /^https:\/\/grc\.strikegraph\.com\/.+\/control_detail\/176245$/);
  });

  const values: Record<string, { takes?: string[]; refuses: string[] }> = {
    Role: { refuses: ['master', ''] },
    HubAccountId: { refuses: ['20937185870', 'hub'] },
    HubMayInvoke: { refuses: ['maybe'] },
    InventoryLocation: {
      takes: ['s3://my-bucket/inventory.json', 's3://my-bucket/a/b=c/inventory.json', 'ssm:/inventory', 'ssm:/a/b.c'],
      refuses: [
        'inventory.json',
        's3://my-bucket',
        's3://my-bucket/*',
        's3://my-bucket/$' + '{aws:username}',
        'ssm:a',
        'ssm:/a/*',
      ],
    },
    ReportPrefix: { takes: ['evidence/db-admins/'], refuses: ['', 'reports', '/reports/', '*/'] },
    ReportKeyArn: {
      takes: ['arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab'],
      refuses: [
        'alias/reports',
        'arn:aws:kms:us-east-1:111122223333:alias/reports',
        'arn:aws:kms:us-east-1:111122223333:key/*',
      ],
    },
    CredentialsKeyArn: { refuses: ['*'] },
    InventoryKeyArn: { refuses: ['*'] },
    ObjectLockDays: { takes: ['36500'], refuses: ['-1', '36501', '1.5'] },
    WorkerName: {
      takes: ['db-admin-report-worker_vpc-2', `db-admin-report-worker${'x'.repeat(42)}`],
      refuses: ['worker', 'my-db-admin-report-worker', `db-admin-report-worker${'x'.repeat(43)}`],
    },
    VpcId: { refuses: ['vpc-*', 'subnet-12345678'] },
    SubnetIds: { takes: ['subnet-12345678'], refuses: ['subnet-12345678, subnet-87654321', 'vpc-12345678'] },
    SecurityGroupId: { refuses: ['default'] },
    DatabasePort: { takes: ['65535'], refuses: ['65536', '-1'] },
    MakeSsmEndpoint: { refuses: ['true'] },
    MakeRdsEndpoint: { refuses: ['true'] },
    PermissionsBoundaryArn: { takes: ['arn:aws:iam::aws:policy/PowerUserAccess'], refuses: ['boundary', '*'] },
    SecretArns: {
      takes: [`${secret('orders-??????')},${secret('crm@1.2+3=4/5-AbCdEf')}`],
      refuses: ['*', 'orders', secret('*'), `${secret('orders-??????')}, ${secret('crm-??????')}`],
    },
    LogRetentionDays: { takes: ['30'], refuses: ['2'] },
  };
  for (const [name, { takes = [], refuses }] of Object.entries(values)) {
    test(name, () => {
      for (const value of takes) assert.equal(accepted(name, value), value);
      for (const value of refuses) {
        assert.throws(
          () => deploy({ ...roles['hub-and-worker'], [name]: value }),
          new RegExp(`parameter ${name} does`),
          value,
        );
      }
    });
  }

  test('a worker without its network is refused before anything is made', () => {
    for (const Role of ['worker', 'hub-and-worker']) {
      assert.throws(() => deploy({ Role, SubnetIds: network.SubnetIds }), /VpcId must be given/);
      assert.throws(() => deploy({ Role, VpcId: network.VpcId }), /SubnetIds must be given/);
    }
  });
});

describe('what each Role makes', () => {
  const ofHub = ['AuditorPolicy', 'OperatorPolicy', 'Orchestrator', 'OrchestratorLogs', 'OrchestratorRole'];
  const bucketOfHub = ['ReportBucket', 'ReportBucketPolicy'];
  const ofWorker = ['HubMayInvokeWorker', 'Worker', 'WorkerLogs', 'WorkerRole'];
  const hubOutputs = ['AuditorPolicyArn', 'InventoryLocation', 'OperatorPolicyArn', 'OrchestratorArn'];
  const outputs = {
    hub: [...hubOutputs, 'OrchestratorRoleArn', 'ReportBucket'],
    worker: ['WorkerArn', 'WorkerRoleArn', 'WorkerSecurityGroupId'],
  };
  const expected: [Record<string, string>, string[], string[]][] = [
    [roles.hub, [...ofHub, ...bucketOfHub], outputs.hub],
    [roles.worker, [...ofWorker, 'WorkerSecurityGroup'], outputs.worker],
    [
      roles['hub-and-worker'],
      [...ofHub, ...bucketOfHub, ...ofWorker, 'WorkerSecurityGroup'],
      [...outputs.hub, ...outputs.worker],
    ],
    [{ ...roles.worker, SecurityGroupId: 'sg-12345678' }, ofWorker, outputs.worker],
    ...['Ssm', 'Rds'].map((service): [Record<string, string>, string[], string[]] => [
      { ...roles.worker, [`Make${service}Endpoint`]: 'yes' },
      [...ofWorker, `${service}Endpoint`, 'EndpointSecurityGroup', 'WorkerSecurityGroup'],
      outputs.worker,
    ]),
    [{ ...roles.hub, MakeSsmEndpoint: 'yes' }, [...ofHub, ...bucketOfHub], outputs.hub],
  ];
  for (const [parameters, resources, outputsOf] of expected) {
    const { VpcId: _, SubnetIds: __, ...shown } = parameters;
    test(JSON.stringify(shown), () => {
      const stack = deploy(parameters);
      assert.deepEqual(Object.keys(stack.resources).sort(), resources.sort());
      assert.deepEqual(Object.keys(stack.outputs).sort(), outputsOf.sort());
    });
  }

  test('outputs are described, and are what the next step needs', () => {
    for (const output of Object.values<Any>(Outputs)) assert.ok(output.Description);
    assert.deepEqual(deploy(roles['hub-and-worker']).outputs, {
      ReportBucket: 'stack-reportbucket-1a2b3c',
      InventoryLocation: 's3://stack-reportbucket-1a2b3c/inventory.json',
      OrchestratorArn: `arn:aws:lambda:${region}:${hub}:function:db-admin-report-orchestrator`,
      OrchestratorRoleArn: `arn:aws:iam::${hub}:role/db-admin-report-orchestrator`,
      OperatorPolicyArn: `arn:aws:iam::${hub}:policy/db-admin-report-operator`,
      AuditorPolicyArn: `arn:aws:iam::${hub}:policy/db-admin-report-auditor`,
      WorkerArn: `arn:aws:lambda:${region}:${hub}:function:db-admin-report-worker`,
      WorkerRoleArn: `arn:aws:iam::${hub}:role/stack-WorkerRole-1a2b3c`,
      WorkerSecurityGroupId: 'sg-of-WorkerSecurityGroup',
    });
    assert.equal(
      deploy({ ...roles.worker, SecurityGroupId: 'sg-12345678' }).outputs.WorkerSecurityGroupId,
      'sg-12345678',
    );
  });

  test('two workers in one account share no name', () => {
    const [one, other] = ['db-admin-report-worker', 'db-admin-report-worker-2'].map(WorkerName => {
      const { resources } = deploy({ ...roles.worker, MakeSsmEndpoint: 'yes', WorkerName }, shop);
      return Object.entries(resources).flatMap(([id, { Properties }]) =>
        ['FunctionName', 'LogGroupName', 'RoleName', 'GroupName', 'ManagedPolicyName']
          .filter(name => name in Properties && id !== 'HubMayInvokeWorker')
          .map(name => `${name} ${Properties[name]}`),
      );
    });
    assert.equal(one!.length, 2);
    assert.deepEqual(
      one!.filter(name => other!.includes(name)),
      [],
    );
  });
});

describe('the functions', () => {
  const common = {
    Runtime: 'nodejs24.x',
    Architectures: ['arm64'],
    Handler: 'index.handler',
    EventInvokeConfig: { MaximumRetryAttempts: 0 },
  };

  test('the orchestrator', () => {
    const { Description: _, ...properties } = deploy(roles.hub).resources.Orchestrator.Properties;
    assert.deepEqual(properties, {
      ...common,
      FunctionName: 'db-admin-report-orchestrator',
      CodeUri: 'dist/orchestrator/',
      Role: `arn:aws:iam::${hub}:role/db-admin-report-orchestrator`,
      Timeout: 900,
      MemorySize: 2048,
      LoggingConfig: { LogFormat: 'JSON', LogGroup: '/aws/lambda/db-admin-report-orchestrator' },
      Environment: {
        Variables: {
          INVENTORY: 's3://stack-reportbucket-1a2b3c/inventory.json',
          REPORT_BUCKET: 'stack-reportbucket-1a2b3c',
          REPORT_PREFIX: 'reports/',
          CONTROL: Parameters.Control.Default,
        },
      },
    });
  });

  test('the worker', () => {
    const { Description: _, ...properties } = deploy(roles.worker, shop).resources.Worker.Properties;
    assert.deepEqual(properties, {
      ...common,
      FunctionName: 'db-admin-report-worker',
      CodeUri: 'dist/worker/',
      Role: `arn:aws:iam::${shop}:role/stack-WorkerRole-1a2b3c`,
      Timeout: 300,
      MemorySize: 1769,
      LoggingConfig: { LogFormat: 'JSON', LogGroup: '/aws/lambda/db-admin-report-worker' },
      VpcConfig: {
        SubnetIds: ['subnet-0123456789abcdef0', 'subnet-0fedcba9876543210'],
        SecurityGroupIds: ['sg-of-WorkerSecurityGroup'],
      },
      Environment: {
        Variables: { NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem', UV_THREADPOOL_SIZE: '128' },
      },
    });
  });

  test('the inventory, the prefix and the control are where the parameters say', () => {
    for (const InventoryLocation of ['s3://other-bucket/a/folder/inventory.json', 'ssm:/audit/inventory']) {
      const parameters = {
        ...roles.hub,
        InventoryLocation,
        ReportBucketName: 'our-reports',
        ReportPrefix: 'evidence/',
      };
      const { Orchestrator } = deploy({ ...parameters, Control: 'SOC 2 CC6.1' }).resources;
      assert.deepEqual(Orchestrator.Properties.Environment.Variables, {
        INVENTORY: InventoryLocation,
        REPORT_BUCKET: 'our-reports',
        REPORT_PREFIX: 'evidence/',
        CONTROL: 'SOC 2 CC6.1',
      });
    }
  });

  test('logs are kept as long as the parameter says', () => {
    const { resources } = deploy({ ...roles['hub-and-worker'], LogRetentionDays: '90' });
    for (const id of ['OrchestratorLogs', 'WorkerLogs']) assert.equal(resources[id].Properties.RetentionInDays, '90');
  });
});

describe('who may do what', () => {
  const reports = 'arn:aws:s3:::stack-reportbucket-1a2b3c/reports/*';
  const via = (...services: string[]) => {
    const names = services.map(service => `${service}.${region}.amazonaws.com`);
    return JSON.stringify({ StringEquals: { 'kms:ViaService': names.length > 1 ? names : names[0] } });
  };

  test('the orchestrator', () => {
    const always = [
      'Allow lambda:InvokeFunction arn:aws:lambda:*:*:function:db-admin-report-worker*',
      `Allow s3:PutObject ${reports}`,
      `Allow s3:GetObject ${reports}`,
      ...['CreateLogStream', 'PutLogEvents'].map(
        action =>
          `Allow logs:${action} arn:aws:logs:${region}:${hub}:log-group:/aws/lambda/db-admin-report-orchestrator:*`,
      ),
    ];
    const sorted = (parameters: Record<string, string>) =>
      roleGrants(deploy({ ...roles.hub, ...parameters }).resources.OrchestratorRole).sort();
    const expected: [Record<string, string>, string[]][] = [
      [{}, ['Allow s3:GetObject arn:aws:s3:::stack-reportbucket-1a2b3c/inventory.json']],
      [
        { InventoryLocation: 's3://other-bucket/a/folder/inventory.json' },
        ['Allow s3:GetObject arn:aws:s3:::other-bucket/a/folder/inventory.json'],
      ],
      [
        { InventoryLocation: 'ssm:/audit/inventory', InventoryKeyArn: key('inventory'), ReportKeyArn: key('reports') },
        [
          `Allow ssm:GetParameter arn:aws:ssm:${region}:${hub}:parameter/audit/inventory`,
          `Allow kms:Decrypt ${key('inventory')} ${via('s3', 'ssm')}`,
          `Allow kms:GenerateDataKey ${key('reports')} ${via('s3')}`,
          `Allow kms:Decrypt ${key('reports')} ${via('s3')}`,
        ],
      ],
    ];
    for (const [parameters, own] of expected) assert.deepEqual(sorted(parameters), [...always, ...own].sort());
  });

  test('the worker', () => {
    const parameters = `arn:aws:ssm:${region}:${hub}:parameter`;
    const interfaces = ['CreateNetworkInterface', 'DeleteNetworkInterface', 'AssignPrivateIpAddresses'];
    const code = { 'lambda:SourceFunctionArn': `arn:aws:lambda:${region}:${hub}:function:db-admin-report-worker` };
    const always = [
      `Allow ssm:GetParameter ${parameters}/db-admin-report/*`,
      `Allow ssm:GetParameters ${parameters}/db-admin-report/*`,
      `Allow rds:DescribeDBInstances arn:aws:rds:${region}:${hub}:db:*`,
      `Allow rds:DescribeDBClusters arn:aws:rds:${region}:${hub}:cluster:*`,
      ...['CreateLogStream', 'PutLogEvents'].map(
        action => `Allow logs:${action} arn:aws:logs:${region}:${hub}:log-group:/aws/lambda/db-admin-report-worker:*`,
      ),
      ...[...interfaces, 'UnassignPrivateIpAddresses'].map(action => `Allow ec2:${action} arn:aws:ec2:${region}:*:*/*`),
      'Allow ec2:DescribeNetworkInterfaces *',
      'Allow ec2:DescribeSubnets *',
      `Deny ec2:* * ${JSON.stringify({ ArnEquals: code })}`,
    ];
    const sorted = (given: Record<string, string>) =>
      roleGrants(deploy({ ...roles.worker, ...given }).resources.WorkerRole).sort();
    assert.deepEqual(sorted({}), always.sort());
    assert.deepEqual(
      sorted({ SecretArns: everyOption.SecretArns, CredentialsKeyArn: key('credentials') }),
      [
        ...always,
        `Allow ssm:GetParameter ${parameters}/aws/reference/secretsmanager/*`,
        `Allow ssm:GetParameters ${parameters}/aws/reference/secretsmanager/*`,
        `Allow secretsmanager:GetSecretValue ${secret('orders-??????')}`,
        `Allow secretsmanager:GetSecretValue ${secret('db/crm-AbCdEf')}`,
        `Allow kms:Decrypt ${key('credentials')} ${via('ssm', 'secretsmanager')}`,
      ].sort(),
    );
  });

  test('operators and auditors', () => {
    const inReports = JSON.stringify({ StringLike: { 's3:prefix': 'reports/*' } });
    const auditor = [
      `Allow s3:GetObject ${reports}`,
      `Allow s3:ListBucket arn:aws:s3:::stack-reportbucket-1a2b3c ${inReports}`,
    ];
    const run = `Allow lambda:InvokeFunction arn:aws:lambda:${region}:${hub}:function:db-admin-report-orchestrator`;
    const decrypt = `Allow kms:Decrypt ${key('reports')} ${via('s3')}`;
    for (const [parameters, more] of [
      [{}, []],
      [{ ReportKeyArn: key('reports') }, [decrypt]],
    ] as const) {
      const { OperatorPolicy, AuditorPolicy } = deploy({ ...roles.hub, ...parameters }).resources;
      assert.equal(OperatorPolicy.Properties.ManagedPolicyName, 'db-admin-report-operator');
      assert.equal(AuditorPolicy.Properties.ManagedPolicyName, 'db-admin-report-auditor');
      assert.deepEqual(grants(OperatorPolicy.Properties.PolicyDocument), [run, ...auditor, ...more]);
      assert.deepEqual(grants(AuditorPolicy.Properties.PolicyDocument), [...auditor, ...more]);
    }
  });

  test('only the hub’s role may invoke a worker', () => {
    const permission = (parameters: Record<string, string>, account: string) =>
      deploy(parameters, account).resources.HubMayInvokeWorker.Properties;
    const arn = `arn:aws:lambda:${region}:${shop}:function:db-admin-report-worker`;
    const Principal = `arn:aws:iam::${hub}:role/db-admin-report-orchestrator`;
    const Action = 'lambda:InvokeFunction';
    assert.deepEqual(permission(roles.worker, shop), { FunctionName: arn, Action, Principal });
    assert.equal(deploy({ ...roles.worker, HubMayInvoke: 'no' }, shop).resources.HubMayInvokeWorker, undefined);
    // The hub of another company, and a hub that has databases itself: its own role, whatever HubAccountId says.
    const other = { ...roles.worker, HubAccountId: '444455556666' };
    assert.match(permission(other, shop).Principal, /^arn:aws:iam::444455556666:role\/db-admin-report-orchestrator$/);
    assert.match(
      permission(roles['hub-and-worker'], shop).Principal,
      new RegExp(`^arn:aws:iam::${shop}:role/db-admin-report-orchestrator$`),
    );
  });

  test('Lambda alone takes on the roles', () => {
    const { OrchestratorRole, WorkerRole } = deploy(roles['hub-and-worker']).resources;
    for (const { Properties } of [OrchestratorRole, WorkerRole]) {
      assert.deepEqual(Properties.AssumeRolePolicyDocument.Statement, [
        { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' },
      ]);
      assert.equal(Properties.ManagedPolicyArns, undefined);
    }
    assert.equal(OrchestratorRole.Properties.RoleName, 'db-admin-report-orchestrator');
    assert.equal(WorkerRole.Properties.RoleName, undefined);
    const bounded = deploy({ ...roles['hub-and-worker'], PermissionsBoundaryArn: 'arn:aws:iam::aws:policy/Bound' });
    for (const [id, { Type, Properties }] of Object.entries(bounded.resources)) {
      if (Type === 'AWS::IAM::Role') assert.equal(Properties.PermissionsBoundary, 'arn:aws:iam::aws:policy/Bound', id);
    }
  });

  test('what allows names its actions, and lets in everybody only through an endpoint, to the worker’s role', () => {
    for (const parameters of deployments) {
      for (const { Type, Properties } of Object.values(deploy(parameters).resources)) {
        const policies = [...(Properties.Policies ?? []), Properties].map(({ PolicyDocument }) => PolicyDocument);
        for (const statement of policies.filter(Boolean).flatMap(policy => policy.Statement)) {
          if (statement.Effect === 'Deny') continue; // the wider the better
          assert.equal(statement.NotAction ?? statement.NotResource ?? statement.NotPrincipal, undefined);
          for (const action of [statement.Action].flat()) assert.doesNotMatch(action, /\*/);
          if (statement.Principal !== '*') continue;
          const own = { ArnEquals: { 'aws:PrincipalArn': `arn:aws:iam::${hub}:role/stack-WorkerRole-1a2b3c` } };
          assert.deepEqual([Type, statement.Condition], ['AWS::EC2::VPCEndpoint', own]);
        }
      }
    }
  });

  test('every statement has its reason above it', () => {
    let statements = 0;
    visit(document, {
      Pair(_, pair) {
        if (!isPair(pair) || !isScalar(pair.key) || pair.key.value !== 'Statement') return;
        assert.ok(isSeq(pair.value));
        const list = pair.value as YAMLSeq;
        for (const [index, item] of list.items.entries()) {
          statements++;
          // The comment above the first item of a list is the list's.
          const comment = (isNode(item) && item.commentBefore) || (index === 0 && list.commentBefore);
          const { range } = item as { range: [number, number, number] };
          const line = read('template.yaml').slice(0, range[0]).split('\n').length;
          assert.ok(comment && comment.trim().length > 20, `line ${line}: a statement without its reason`);
        }
      },
    });
    assert.ok(statements > 20, `${statements} statements`);
  });
});

describe('the bucket', () => {
  test('private, encrypted, versioned, and outlives the stack with its policy', () => {
    const { ReportBucket, ReportBucketPolicy } = deploy(roles.hub).resources;
    assert.equal(ReportBucketPolicy.DeletionPolicy, 'RetainExceptOnCreate');
    assert.equal(ReportBucketPolicy.UpdateReplacePolicy, 'Retain');
    assert.deepEqual(ReportBucket, {
      Type: 'AWS::S3::Bucket',
      Condition: 'IsHub',
      DeletionPolicy: 'RetainExceptOnCreate',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
        },
        VersioningConfiguration: { Status: 'Enabled' },
      },
    });
  });

  test('with a key, a lock and a name of one’s own', () => {
    const { Properties } = deploy({ ...roles.hub, ...everyOption }).resources.ReportBucket;
    assert.equal(Properties.BucketName, 'our-reports');
    assert.deepEqual(Properties.BucketEncryption.ServerSideEncryptionConfiguration, [
      {
        BucketKeyEnabled: true,
        ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: key('reports') },
      },
    ]);
    assert.equal(Properties.ObjectLockEnabled, true);
    assert.deepEqual(Properties.ObjectLockConfiguration, {
      ObjectLockEnabled: 'Enabled',
      Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: '400' } },
    });
    assert.deepEqual(Properties.VersioningConfiguration, { Status: 'Enabled' });
  });

  test('refuses plain HTTP, old TLS, and a put under the prefix that could overwrite', () => {
    const { Properties } = deploy({ ...roles.hub, ReportPrefix: 'evidence/' }).resources.ReportBucketPolicy;
    const arn = 'arn:aws:s3:::stack-reportbucket-1a2b3c';
    assert.equal(Properties.Bucket, 'stack-reportbucket-1a2b3c');
    assert.ok(Properties.PolicyDocument.Statement.every(({ Principal }: Any) => Principal === '*'));
    assert.deepEqual(grants(Properties.PolicyDocument), [
      ...[arn, `${arn}/*`].map(each => `Deny s3:* ${each} {"Bool":{"aws:SecureTransport":"false"}}`),
      ...[arn, `${arn}/*`].map(each => `Deny s3:* ${each} {"NumericLessThan":{"s3:TlsVersion":"1.2"}}`),
      `Deny s3:PutObject ${arn}/evidence/* {"Null":{"s3:if-none-match":"true"}}`,
    ]);
  });
});

describe('the worker’s network', () => {
  const out = ({ SecurityGroupEgress }: Any) =>
    SecurityGroupEgress.map(({ IpProtocol, FromPort, ToPort, CidrIp, Description }: Any) => {
      assert.ok(Description);
      return `${IpProtocol} ${FromPort}-${ToPort} ${CidrIp}`;
    });

  test('the security group lets out to the ports, and nobody in', () => {
    const group = (parameters = {}) =>
      deploy({ ...roles.worker, ...parameters }).resources.WorkerSecurityGroup.Properties;
    const ports = ['tcp 443-443 0.0.0.0/0', 'tcp 1433-1433 0.0.0.0/0', 'tcp 3306-3306 0.0.0.0/0'];
    assert.deepEqual(out(group()), ports);
    assert.deepEqual(out(group({ DatabasePort: '5306' })), [...ports, 'tcp 5306-5306 0.0.0.0/0']);
    assert.equal(group().SecurityGroupIngress, undefined);
    assert.equal(group().VpcId, network.VpcId);
  });

  test('a given security group is the worker’s, and the endpoint’s guest', () => {
    const given = { SecurityGroupId: 'sg-0123456789abcdef0', MakeSsmEndpoint: 'yes' };
    const { Worker, EndpointSecurityGroup } = deploy({ ...roles.worker, ...given }).resources;
    assert.deepEqual(Worker.Properties.VpcConfig.SecurityGroupIds, ['sg-0123456789abcdef0']);
    const [rule, ...others] = EndpointSecurityGroup.Properties.SecurityGroupIngress;
    assert.deepEqual([rule.SourceSecurityGroupId, others], ['sg-0123456789abcdef0', []]);
  });

  test('the endpoints serve the worker alone', () => {
    const own = { ArnEquals: { 'aws:PrincipalArn': `arn:aws:iam::${shop}:role/stack-WorkerRole-1a2b3c` } };
    const condition = ` ${JSON.stringify(own)}`;
    const allowed = {
      ssm: ['GetParameter', 'GetParameters'].map(
        action => `Allow ssm:${action} arn:aws:ssm:${region}:${shop}:parameter/*${condition}`,
      ),
      rds: ['DescribeDBClusters', 'DescribeDBInstances'].flatMap(action =>
        ['cluster', 'db'].map(kind => `Allow rds:${action} arn:aws:rds:${region}:${shop}:${kind}:*${condition}`),
      ),
    };
    const { resources } = deploy({ ...roles.worker, MakeSsmEndpoint: 'yes', MakeRdsEndpoint: 'yes' }, shop);
    const { Variables } = resources.Worker.Properties.Environment;
    for (const [service, id] of [
      ['ssm', 'SsmEndpoint'],
      ['rds', 'RdsEndpoint'],
    ] as const) {
      const { PolicyDocument, ...endpoint } = resources[id].Properties;
      assert.deepEqual(endpoint, {
        VpcEndpointType: 'Interface',
        ServiceName: `com.amazonaws.${region}.${service}`,
        PrivateDnsEnabled: false,
        VpcId: network.VpcId,
        SubnetIds: network.SubnetIds.split(','),
        SecurityGroupIds: ['sg-of-EndpointSecurityGroup'],
      });
      assert.deepEqual(grants(PolicyDocument), allowed[service]);
      // Without private DNS the worker must be told the endpoint's name, the SDK's variable for one service alone.
      const name = `https://vpce-0abc-1def.${service}.${region}.vpce.amazonaws.com`;
      assert.equal(Variables[`AWS_ENDPOINT_URL_${service.toUpperCase()}`], name);
    }
    const [rule, ...others] = resources.EndpointSecurityGroup.Properties.SecurityGroupIngress;
    assert.deepEqual([rule.FromPort, rule.ToPort, rule.SourceSecurityGroupId], [443, 443, 'sg-of-WorkerSecurityGroup']);
    assert.deepEqual(others, []);
  });
});

describe('the code', () => {
  /** What a call of the SDK needs; a Head is a Get to IAM, and a stream is an invocation. */
  const actions: Record<string, string> = {
    InvokeCommand: 'lambda:InvokeFunction',
    InvokeWithResponseStreamCommand: 'lambda:InvokeFunction',
    GetObjectCommand: 's3:GetObject',
    HeadObjectCommand: 's3:GetObject',
    ListObjectsV2Command: 's3:ListBucket',
    PutObjectCommand: 's3:PutObject',
    paginateDescribeDBClusters: 'rds:DescribeDBClusters',
    paginateDescribeDBInstances: 'rds:DescribeDBInstances',
    GetParameterCommand: 'ssm:GetParameter',
    GetParametersCommand: 'ssm:GetParameters',
  };
  /** Allowed, and asked for by AWS itself in the role's or person's name; or not asked for at all, and why. */
  const notCalled: Record<string, string> = {
    'kms:Decrypt': 'by S3, Parameter Store, Secrets Manager',
    'kms:GenerateDataKey': 'by S3',
    'secretsmanager:GetSecretValue': 'by Parameter Store',
    'logs:CreateLogStream': 'by Lambda',
    'logs:PutLogEvents': 'by Lambda',
    'ec2:CreateNetworkInterface': 'by Lambda',
    'ec2:DeleteNetworkInterface': 'by Lambda',
    'ec2:AssignPrivateIpAddresses': 'by Lambda',
    'ec2:UnassignPrivateIpAddresses': 'by Lambda',
    'ec2:DescribeNetworkInterfaces': 'by Lambda',
    'ec2:DescribeSubnets': 'by Lambda',
    'worker.ts ssm:GetParameter': 'the contract names both: which of the two reads a credential is the code’s business',
    'cli.ts s3:ListBucket': 'people list the reports',
  };
  const actionsOf = (list: string[]) =>
    list.filter(grant => grant.startsWith('Allow ')).map(each => each.split(' ')[1]!);
  const everything = deployments.map(parameters => deploy(parameters).resources);
  const allowed: Record<string, string[]> = {
    'worker.ts': everything.flatMap(({ WorkerRole }) => (WorkerRole ? roleGrants(WorkerRole) : [])),
    'orchestrator.ts': everything.flatMap(({ OrchestratorRole: role }) => (role ? roleGrants(role) : [])),
    'cli.ts': everything.flatMap(({ OperatorPolicy: policy }) =>
      policy ? grants(policy.Properties.PolicyDocument) : [],
    ),
  };
  for (const [file, list] of Object.entries(allowed)) {
    test(`${file} may do every call that it makes, and makes every call that it may`, () => {
      const source = read(file);
      // A command is named where it is made and where it is imported; "…CommandOutput" and the like are types.
      const commands = [...new Set(source.match(/\b([A-Z]\w*Command|paginate[A-Z]\w*)\b/g))];
      assert.ok(commands.length > 0);
      for (const command of commands) {
        assert.ok(
          command in actions,
          `${command}: which IAM action does it need? Add it to this table and the template`,
        );
        assert.ok(
          actionsOf(list).includes(actions[command]!),
          `${command}: ${actions[command]} is not in the template`,
        );
      }
      // Other ways to call AWS, which the list of commands would not show.
      assert.doesNotMatch(source, /\bwaitUntil[A-Z]\w*|lib-storage|client-(?!lambda\b|rds\b|s3\b|ssm\b)\w+/);
      const needed = commands.map(command => actions[command]);
      const idle = [...new Set(actionsOf(list))].filter(action => !needed.includes(action));
      assert.deepEqual(
        idle.filter(action => !(action in notCalled) && !(`${file} ${action}` in notCalled)),
        [],
      );
    });
  }

  test('no other file makes calls to AWS', () => {
    const files = readdirSync(root).filter(file => file.endsWith('.ts'));
    assert.deepEqual(files.sort(), Object.keys(allowed).sort());
    const clients = Object.keys(JSON.parse(read('package.json')).dependencies).filter(name => /^@aws/.test(name));
    const expected = ['lambda', 'rds', 's3', 'ssm'].map(service => `@aws-sdk/client-${service}`);
    assert.deepEqual(clients.sort(), expected);
  });

  test('orchestrator.ts reads each variable that the template sets', () => {
    const source = read('orchestrator.ts');
    const { Variables } = deploy(roles.hub).resources.Orchestrator.Properties.Environment;
    for (const name of Object.keys(Variables)) assert.match(source, new RegExp(`\\b${name}\\b`));
    const others = source.matchAll(/process\.env\.(\w+)/g).map(([, name]) => name!);
    const unset = [...others].filter(name => !(name in Variables) && !/^(AWS|LAMBDA)_/.test(name));
    assert.deepEqual(unset, []);
  });
});

describe('the packages', () => {
  let folder: string;
  let aws: Awaited<ReturnType<typeof startAws>> | undefined;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'template-test-'));
    // `npm run build` in a folder of its own, since dist/ belongs to whoever works here, and with the umask of somebody
    // whose files are nobody else's to read.
    for (const file of readdirSync(root).filter(each => /\.ts$|^package\.json$|^queries$/.test(each)))
      cpSync(join(root, file), join(folder, file), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const built = spawnSync('sh', ['-c', 'umask 077 && npm run build'], { cwd: folder, encoding: 'utf8' });
    assert.equal(built.status, 0, built.stderr);
  });
  after(async () => {
    await aws?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('npm run build makes the folders of CodeUri, with the handlers in them', () => {
    const { Orchestrator, Worker } = deploy(roles['hub-and-worker']).resources;
    for (const { Properties } of [Orchestrator, Worker]) {
      const [file, name] = Properties.Handler.split('.');
      const module = join(folder, Properties.CodeUri, `${file}.mjs`);
      assert.ok(existsSync(module) && existsSync(`${module}.map`), module);
      const script = `import(${JSON.stringify(module)}).then(module => console.log(typeof module.${name}))`;
      const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
      assert.equal(stdout.trim(), 'function', stderr);
    }
    for (const file of readdirSync(join(root, 'queries'))) {
      const shipped = join(folder, Worker.Properties.CodeUri, 'queries', file);
      assert.deepEqual(readFileSync(shipped), readFileSync(join(root, 'queries', file)));
    }
  });

  test('can be read by everybody, as Lambda needs it, whatever the umask of whoever builds', () => {
    for (const file of ['', ...readdirSync(join(folder, 'dist'), { recursive: true, encoding: 'utf8' })]) {
      const stat = statSync(join(folder, 'dist', file));
      const needed = stat.isDirectory() ? 0o555 : 0o444;
      assert.equal(stat.mode & needed, needed, `dist/${file}`);
    }
  });

  test('are small: Lambda reads all of one before its first answer', () => {
    for (const [name, most] of Object.entries({ worker: 4_000_000, orchestrator: 1_000_000 })) {
      const files = readdirSync(join(folder, 'dist', name), { recursive: true, encoding: 'utf8' });
      const sizes = files
        .filter(file => !file.endsWith('.map')) // read only where an error is explained
        .map(file => statSync(join(folder, 'dist', name, file)))
        .map(stat => (stat.isFile() ? stat.size : 0));
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      assert.ok(bytes > 100_000 && bytes <= most, `dist/${name} has ${bytes} bytes, ${most} are allowed`);
    }
  });

  test('a run needs each of its permissions, and no other', async () => {
    aws = await startAws();
    const { callers, functions, buckets, parameters, rds, secrets } = aws;
    const secretArns = `${secret('crm').replace(hub, shop)}-??????`;
    const hubStack = deploy(roles.hub);
    const workerStack = deploy({ ...roles.worker, SecretArns: secretArns }, shop);
    const { Orchestrator, OrchestratorRole, OperatorPolicy } = hubStack.resources;
    const { Worker, WorkerRole, HubMayInvokeWorker } = workerStack.resources;
    // Conditions are left out: aws.ts does not know them, and the tests above do.
    const allow = (list: string[]) =>
      list
        .filter(grant => /^Allow (lambda|s3|ssm|secretsmanager|rds):/.test(grant))
        .map(grant => grant.split(' ', 3).slice(1).join(' ').replaceAll('?', '*'));
    const everybody = {
      OPERATOR: allow(grants(OperatorPolicy.Properties.PolicyDocument)).filter(grant => !/ListBucket/.test(grant)),
      ORCHESTRATOR: allow(roleGrants(OrchestratorRole)),
      WORKER: allow(roleGrants(WorkerRole)),
    };

    functions.set(hubStack.outputs.OrchestratorArn!, {
      role: 'ORCHESTRATOR',
      package: join(folder, Orchestrator.Properties.CodeUri),
      handler: Orchestrator.Properties.Handler,
      timeoutSeconds: Orchestrator.Properties.Timeout,
      memoryMB: Orchestrator.Properties.MemorySize,
      env: Orchestrator.Properties.Environment.Variables,
    });
    functions.set(workerStack.outputs.WorkerArn!, {
      role: 'WORKER',
      package: join(folder, Worker.Properties.CodeUri),
      handler: Worker.Properties.Handler,
      timeoutSeconds: Worker.Properties.Timeout,
      memoryMB: Worker.Properties.MemorySize,
      env: Worker.Properties.Environment.Variables,
      invokers: [HubMayInvokeWorker.Properties.Principal],
    });
    const reports = bucket(hub, region, { writeOnceUnder: 'reports/' });
    buckets.set(hubStack.outputs.ReportBucket!, reports);

    // Two databases whose credentials are read and are for another host: nothing is connected to.
    const credential = JSON.stringify({ username: 'auditor', password: 'x', host: 'elsewhere.example' });
    parameters.set(`arn:aws:ssm:${region}:${shop}:parameter/db-admin-report/orders`, {
      value: credential,
      type: 'SecureString',
    });
    secrets.set(secret('crm').replace(hub, shop), credential);
    const database = { account: shop, region, engine: 'mysql', host: 'localhost' };
    const inventory = {
      databases: [
        { id: 'orders', ...database, credentials: 'ssm:/db-admin-report/orders' },
        { id: 'crm', ...database, credentials: 'secretsmanager:crm' },
      ],
    };
    const instance = { DBInstanceIdentifier: 'orders', Engine: 'mysql', DBInstanceStatus: 'available' };
    rds.set(`${shop} ${region}`, { instances: [{ ...instance, Endpoint: { Address: 'localhost' } }], clusters: [] });
    const body = Buffer.from(JSON.stringify(inventory));
    reports.objects.set('inventory.json', [{ version: '1', body, headers: {}, modified: new Date() }]);

    /** What comes of a run with these permissions: `whole` if every credential and AWS's list were read and the report is there. */
    const run = async (who: typeof everybody): Promise<string> => {
      callers.set('OPERATOR', caller(hub, 'operator', who.OPERATOR));
      callers.set('ORCHESTRATOR', caller(hub, OrchestratorRole.Properties.RoleName, who.ORCHESTRATOR));
      callers.set('WORKER', caller(shop, 'worker', who.WORKER));
      const credentials = { accessKeyId: 'OPERATOR', secretAccessKey: 'x' };
      const client = new LambdaClient({ region, endpoint: aws!.endpoint, credentials, maxAttempts: 1 });
      const reportId = crypto.randomUUID();
      const Payload = JSON.stringify({ reportId, requestedBy: 'template.test.ts' });
      try {
        const { OrchestratorArn: FunctionName } = hubStack.outputs;
        const { EventStream } = await client.send(new InvokeWithResponseStreamCommand({ FunctionName, Payload }));
        let answer = '';
        for await (const event of EventStream!) answer += Buffer.from(event.PayloadChunk?.Payload ?? []);
        const lines = answer
          .trim()
          .split('\n')
          .map(line => JSON.parse(line));
        const last = lines.at(-1);
        if (last.type !== 'result') return String(last.message);
        const details = lines.filter(({ type }) => type === 'database').map(({ detail }) => String(detail));
        const whole =
          details.length === 2 && details.every(detail => /is for the host elsewhere\.example/.test(detail));
        const files = [...reports.objects.keys()].filter(name => name.includes(reportId));
        if (!whole || files.length !== 2) return details.join('; ');
        const manifest = reports.objects.get(files.find(name => name.endsWith('.manifest.json'))!)!;
        const [{ checked, detail }] = JSON.parse(String(manifest[0]!.body)).population;
        return checked ? 'whole' : detail;
      } catch (error) {
        return String((error as Error).message);
      } finally {
        client.destroy();
      }
    };

    assert.equal(await run(everybody), 'whole');
    for (const [name, list] of Object.entries(everybody)) {
      for (const grant of list) {
        const without = { ...everybody, [name]: list.filter(each => each !== grant) };
        // Not asked for in a run that goes well: reading back after a put that was retried; reading the report, which
        // a stream that is cut makes necessary; the contract's other way to read a credential.
        const spare = / (arn:aws:s3:::.*\/reports\/\*)$/.test(grant) ? /^s3:GetObject/ : /^ssm:GetParameter /;
        const outcome = await run(without);
        if (spare.test(grant)) assert.equal(outcome, 'whole', `${name} without ${grant}`);
        else assert.match(outcome, /denied|not authorized|refused|may not/i, `${name} without ${grant}`);
      }
    }
  });
});
