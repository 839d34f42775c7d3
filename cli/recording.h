/* Recordings: messages of any channels in one log, as docs/spec/record.md says. What `weir record` writes and `weir
 * play` reads.
 *
 * A recorded message has the op, codec, type and bytes of data that it came with; its metadata is a map that says where
 * it came from and holds the metadata that it had. */
#ifndef WEIR_CLI_RECORDING_H
#define WEIR_CLI_RECORDING_H

#include "cli.h"

/* What the metadata of a recorded message says. What points somewhere lives as long as that metadata. */
struct recording_entry {
    weir_view from; /* the channel's address, without options */
    uint64_t seq;   /* the writer's count, and his number */
    uint32_t writer;
    uint64_t gap;           /* messages of that writer lost just before this one */
    int64_t time;           /* 0: it had none */
    const weir_value *meta; /* NULL: it had none */
};

/* The metadata that tells of @entry, in @doc. Return: as weir_doc_finish. */
int recording_meta_make(const struct recording_entry *entry, weir_doc *doc, const weir_value **ret, weir_error *err);
/* Read it back; what is missing but not needed is 0. Return: WEIR_OK; WEIR_ETYPE: this is no recorded message. */
int recording_meta_read(const weir_value *meta, struct recording_entry *ret);
/* Send a message on as it is, with other metadata. Return: as weir_writer_send_bytes. */
int recording_forward(weir_writer *writer, weir_message *message, const weir_value *meta, weir_error *err);
/* 1 when a message that failed so cannot be sent on at all, and the next may. */
int recording_is_hopeless(int status);

/* The address of the log at @path, with room for options: "file:///x/y.weir?max=2G". The caller frees it. Return: exit
 * code (said why).
 */
int recording_address(const char *path, char **ret);
/* An address as recordings name channels: without options, and with its scheme. The caller frees it; NULL: no
 * memory. */
char *recording_name(const char *address);

#endif
