// Runs compiled test files, each in a process of its own, and prints TAP: node test/files.mjs <jobs> <file…>
import { t } from 'tap'

const [jobs, ...files] = process.argv.slice(2)
/** Seconds: longer than any file takes on a very busy machine. */
const timeout = Number(process.env.TEST_TIMEOUT ?? 900)
// A file's own tests are timed by this; the default of 30 s is for small ones.
const env = { ...process.env, TAP_TIMEOUT: String(timeout) }

t.jobs = Number(jobs)
t.setTimeout(0)
for (const file of files) {
  const compiled = `build/${file.replace(/\.ts$/, '.js')}`
  const options = { buffered: true, timeout: timeout * 1000, env }
  void t.spawn(process.execPath, ['--enable-source-maps', compiled], options, file)
}
