/* weir: channels between programs, in one C library.
 *
 * A channel is a named place that messages flow through; its address, a URI, chooses the mechanism:
 *
 *     shm://lab/imu            shared memory         (a bare "lab/imu" means the same)
 *     sysv://0x5eed            the same in System V shared memory, under a key
 *     unix:///run/imu.sock     a local stream socket
 *     tcp://127.0.0.1:5555     a TCP socket, beyond loopback with TLS
 *     fifo:///run/imu.fifo     a named pipe: one writer, one reader, also cat, jq and echo
 *     file:///var/log/imu.weir a log on disk, binary or text (.jsonl .cborseq .smile .bson), or with state=1 one value
 *                              in a file
 *
 * Writers send messages, readers receive them, clients call servers. Only the address changes when the mechanism does.
 *
 * Errors:    functions that can fail return WEIR_OK (0) or one positive enum weir_err. Results leave through the
 *            parameters named ret, written only on success. Calls that open or parse take, last, a nullable weir_error.
 * Ownership: what _open and _new hand out is given back with _close and _free, which accept NULL and return NULL.
 *            Inputs are borrowed for the call. Borrowed results say until when they live.
 * Threads:   one object is used by one thread at a time; different objects freely. After fork() a child must not use
 *            its parent's objects, except to close them: calls return WEIR_EFORKED.
 * Process:   the library never prints, exits, aborts, or installs signal handlers.
 */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <weir/base.h>
#include <weir/call.h>
#include <weir/channel.h>
#include <weir/codec.h>
#include <weir/directory.h>
#include <weir/error.h>
#include <weir/message.h>
#include <weir/raw.h>
#include <weir/value.h>
#include <weir/wait.h>

#endif
