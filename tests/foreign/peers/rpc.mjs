// JSON-RPC 2.0 with json-rpc-2.0, which leaves the transport to us: rpc.mjs PLACE; prints one JSON value for each case.
import net from 'node:net'
import readline from 'node:readline'
import { createRequire } from 'node:module'

const { JSONRPCClient } = createRequire(process.env.FOREIGN_MODULES + '/')('json-rpc-2.0')
const place = process.argv[2]
const [host, port] = place.split(':')
const socket = place[0] === '/' ? net.connect(place) : net.connect(Number(port), host)
const client = new JSONRPCClient(request => { socket.write(JSON.stringify(request) + '\n') })
readline.createInterface({ input: socket }).on('line', line => client.receive(JSON.parse(line)))
const show = value => console.log(JSON.stringify(value))
const code = promise => promise.then(() => 'no error', error => error.code)

show(await client.request('double', [21]))
show(await Promise.all([1, 2, 3].map(number => client.request('double', [number]))))
show(await code(client.request('nope', [])))
show(await code(client.request('double', { not: 'a number' })))
client.notify('double', [1])
show((await client.requestAdvanced([
  { jsonrpc: '2.0', id: 'x', method: 'double', params: [4] }, { jsonrpc: '2.0', id: 'y', method: 'nope' }
])).map(answer => answer.result ?? answer.error.code))
socket.end()
