import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import forge from 'node-forge';

/** A server's certificate as PEM: `cert` holds the leaf and whatever stands between it and the root, `ca` the root. */
export type Certificate = { key: string; cert: string; ca: string };

/** A certificate authority as PEM; `chain` is what a server must send beside its own certificate ('' for a root). */
export type Authority = { name: string; key: string; cert: string; chain: string; ca: string };

const day = 86_400_000;

// An RSA key takes up to a second to make. All leaf certificates share one; an authority never shares, since a
// certificate must not verify against an authority that did not sign it.
let leafKey: string | undefined;

/** A new authority: a root, or one that `issuer` signed. */
export function authority(name: string, issuer?: Authority): Authority {
  const key = newKey();
  const cert = sign({
    name,
    key,
    issuer: issuer ?? { name, key },
    from: -day,
    to: 365 * day,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return { name, key, cert, chain: issuer ? cert + issuer.chain : '', ca: issuer?.ca ?? cert };
}

/** A server certificate for these host names and addresses; an expired one ran out yesterday. */
export function certificate(options: {
  authority: Authority;
  names: string[];
  addresses?: string[];
  expired?: boolean;
}): Certificate {
  leafKey ??= newKey();
  const addresses = options.addresses ?? [];
  for (const address of addresses) if (!isIP(address)) throw new Error(`not an address: ${address}`);
  const cert = sign({
    name: options.names[0] ?? addresses[0] ?? 'server',
    key: leafKey,
    issuer: options.authority,
    from: options.expired ? -30 * day : -day,
    to: options.expired ? -day : 90 * day,
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [...options.names.map(value => ({ type: 2, value })), ...addresses.map(ip => ({ type: 7, ip }))],
      },
    ],
  });
  return { key: leafKey, cert: cert + options.authority.chain, ca: options.authority.ca };
}

function newKey(): string {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;
}

function sign(options: {
  name: string;
  key: string;
  issuer: { name: string; key: string };
  from: number;
  to: number;
  extensions: object[];
}): string {
  const key = forge.pki.privateKeyFromPem(options.key);
  const cert = forge.pki.createCertificate();
  cert.publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
  // Begins 01: a positive number in its shortest form, which is all that OpenSSL takes.
  cert.serialNumber = `01${randomBytes(16).toString('hex')}`;
  cert.validity.notBefore = new Date(Date.now() + options.from);
  cert.validity.notAfter = new Date(Date.now() + options.to);
  cert.setSubject([{ name: 'commonName', value: options.name }]);
  cert.setIssuer([{ name: 'commonName', value: options.issuer.name }]);
  cert.setExtensions(options.extensions);
  cert.sign(forge.pki.privateKeyFromPem(options.issuer.key), forge.md.sha256.create());
  return forge.pki.certificateToPem(cert).replaceAll('\r\n', '\n');
}
