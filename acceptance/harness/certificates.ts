import { execFileSync } from 'node:child_process';

/** Runs openssl in a folder. */
export function openssl(folder: string, ...args: string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
}

/** Makes a certificate that has signed itself, `<name>.pem`, and its key, `<name>.key`, for two days. */
export function makeSelfSigned(folder: string, name: string): void {
  const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
  openssl(folder, 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`, ...files);
}
