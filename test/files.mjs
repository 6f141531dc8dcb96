// Runs compiled test files, each in a process of its own, and prints TAP: node test/files.mjs <jobs> <file…>
import { t } from 'tap'

const [jobs, ...files] = process.argv.slice(2)
/** Milliseconds: longer than any file takes on a busy machine. */
const timeout = Number(process.env.TEST_TIMEOUT ?? 300) * 1000

t.jobs = Number(jobs)
t.setTimeout(0)
for (const file of files) {
  const compiled = `build/${file.replace(/\.ts$/, '.js')}`
  void t.spawn(process.execPath, ['--enable-source-maps', compiled], { buffered: true, timeout }, file)
}
