// Prints the next message of a channel, with nothing but Node's standard library: node read.mjs PATH.
import net from 'node:net'
import readline from 'node:readline'

const socket = net.connect(process.argv[2]) // whoever says nothing for a moment gets what is sent
for await (const line of readline.createInterface({ input: socket })) {
  const message = JSON.parse(line)
  console.log(message.op, JSON.stringify(message.data))
  break
}
socket.end()
