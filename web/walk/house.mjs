// The real program for the walk: the demo on simulated devices, on loopback, in a directory that goes with it.
import { spawn, execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

// freePort finds a port of loopback on which nothing listens.
export function freePort() {
  return new Promise((done, fail) => {
    const s = createServer();
    s.on('error', fail);
    s.listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => done(port));
    });
  });
}

// openHouse starts the demo and waits until its story has been told. scale is house time per second.
export async function openHouse(program, { scale = '2h', limit = 150_000 } = {}) {
  const [port, lab] = [await freePort(), await freePort()];
  const demo = spawn(program, ['demo', '--listen', `127.0.0.1:${port}`, '--lab', `127.0.0.1:${lab}`, '--scale', scale], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let gone = false;
  let told = false; // its end was asked for
  const ended = new Promise((done) =>
    demo.on('exit', (code, signal) => {
      if (!told) console.error(`the program ended by itself (${signal ?? code}); it said last:\n${out.slice(-4000)}`);
      done((gone = true));
    }));
  demo.stdout.on('data', (b) => (out += b));
  demo.stderr.on('data', (b) => (out += b));
  const close = async () => {
    told = true;
    if (!gone) demo.kill('SIGINT');
    const timer = setTimeout(() => demo.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(timer);
  };
  process.once('exit', () => gone || demo.kill('SIGKILL'));
  const end = Date.now() + limit;
  for (let data; ; await pause(200)) {
    data = out.match(/export FIRMWARD_DATA=(\S+)/)?.[1];
    if (data) {
      const firmward = (...args) => execFileSync(program, args, { encoding: 'utf8', env: { ...process.env, FIRMWARD_DATA: data }, stdio: ['ignore', 'pipe', 'pipe'] });
      return { base: `http://127.0.0.1:${port}`, firmward, close };
    }
    if (gone || Date.now() > end) {
      await close();
      throw new Error(`the demo did not come up:\n${out}`);
    }
  }
}
