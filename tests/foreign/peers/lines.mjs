// JSON lines over a socket with Node's standard library: lines.mjs write|read|call PLACE N.
import net from 'node:net'
import readline from 'node:readline'

const [what, place, count] = [process.argv[2], process.argv[3], Number(process.argv[4])]
const [host, port] = place.split(':')
const socket = place[0] === '/' ? net.connect(place) : net.connect(Number(port), host)
const say = message => socket.write(JSON.stringify(message) + '\n')
if (what === 'write') {
  for (let i = 0; i < count; i++) {
    const data = { i, big: '9007199254740993', half: i + 0.5, text: `zwölf €𝄞 "${i}"`, list: [null, true, [i]] }
    say({ op: 'reading', meta: { unit: 'V' }, data })
  }
} else {
  let seen = 0
  if (what === 'call') say({ id: 1, op: 'double', data: 0 })
  for await (const line of readline.createInterface({ input: socket })) {
    const message = JSON.parse(line)
    const { op, meta, data } = message
    console.log(JSON.stringify(what === 'call' ? data : { op, meta, data }))
    if (++seen === count) break
    if (what === 'call') say({ id: seen + 1, op: 'double', data: seen })
  }
}
socket.end()
