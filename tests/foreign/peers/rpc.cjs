// JSON-RPC 2.0 with jayson's TCP client: rpc.cjs PLACE; prints one JSON value for each case.
const { promisify } = require('node:util')
const jayson = require('jayson')

const place = process.argv[2]
const [host, port] = place.split(':')
const client = jayson.Client.tcp(place[0] === '/' ? { path: place } : { host, port: Number(port) })
const show = value => console.log(JSON.stringify(value))
const ask = (...words) => new Promise((resolve, reject) =>
  client.request(...words, (problem, answer) => problem ? reject(problem) : resolve(answer)))

async function main () {
  show(await ask('double', [21], 'a'))
  const refused = await ask('nope', [], 2)
  show({ code: refused.error.code, id: refused.id })
  const failed = await ask('double', { not: 'a number' }, 3)
  show({ code: failed.error.code, id: failed.id })
  show((await ask('double', [1], null)) === undefined) // a notification
  const batch = [client.request('double', [1], 1, false), client.request('double', [2], null, false),
    client.request('double', [3], 'three', false)]
  const answers = await promisify(client.request.bind(client))(batch)
  show(answers.sort((a, b) => String(a.id) < String(b.id) ? -1 : 1))
}
main()
