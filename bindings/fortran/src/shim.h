/* Arrays of Fortran, seen from C through their descriptors (Fortran 2018, ISO_Fortran_binding.h).
 *
 * One C function serves every type and every rank: the descriptor says which. How indices map is the caller's choice:
 *   WEIR_FORTRAN_SAME       x(i,j) is the element that row-order languages call x[i-1][j-1]; the shape is the same on
 *                           both sides, and data that lies the other way is rearranged. Never silently transposed.
 *   WEIR_FORTRAN_REVERSED   memory as it lies: row-order data of shape (4,256) is x(256,4) here. Nothing is rearranged,
 *                           unless the data lies in column order.
 *   WEIR_FORTRAN_ROW        sending only: the same shape and indices, rearranged into row order for the channel.
 */
#ifndef WEIR_FORTRAN_SHIM_H
#define WEIR_FORTRAN_SHIM_H

#include <ISO_Fortran_binding.h>

#include <weir/weir.h>

enum weir_fortran_order { WEIR_FORTRAN_SAME = 0, WEIR_FORTRAN_REVERSED = 1, WEIR_FORTRAN_ROW = 2 };

/* Allocate @x anew and fill it from the value at @path (NULL or "": the data itself) of a message's data: an ndarray,
 * or an array of numbers, as many deep as @x has dimensions. Elements are converted only when nothing is lost.
 * Return: WEIR_OK, WEIR_ENOENT, WEIR_ETYPE, WEIR_ENOMEM, or as weir_message_data. On failure @x is as it was. */
int weir_fortran_take(weir_message *message, const char *path, CFI_cdesc_t *x, int order, weir_error *err);
/* Point @x at the ndarray where it lies in the message.
 * Return: as weir_fortran_take; WEIR_ETYPE also where the memory's order, element type or byte order asks for a
 * copy. */
int weir_fortran_point(weir_message *message, const char *path, CFI_cdesc_t *x, int order, weir_error *err);

/* Send @x. @is_unsigned: integers are bit patterns of unsigned ones. */
int weir_fortran_send(weir_writer *writer, const char *op, const weir_value *meta, const CFI_cdesc_t *x, int order,
                      int is_unsigned, weir_error *err);
/* Send x(..., 1), x(..., 2), ... as a message each, in one call. *ret_sent: how many went, also after a failure. */
int weir_fortran_send_many(weir_writer *writer, const char *op, const weir_value *meta, const CFI_cdesc_t *x, int order,
                           int is_unsigned, size_t *ret_sent, weir_error *err);
/* Reserve room for a message of @shape in the channel itself and point @x at it; weir_writer_commit sends it. In row
 * order it can lie only reversed. Return: as weir_writer_reserve, and @x points nowhere unless WEIR_OK. */
int weir_fortran_reserve(weir_writer *writer, const char *op, const weir_value *meta, CFI_cdesc_t *x,
                         const int64_t *shape, size_t rank, int order, int is_unsigned, weir_error *err);
/* Send the bind(c) variable at @data, which lies as @type says and so has its size. Return: as weir_writer_send_bytes.
 * */
int weir_fortran_send_struct(weir_writer *writer, const char *op, const weir_value *meta, const char *type,
                             const void *data, weir_error *err);
/* Where the message's raw data lies, when its writer sends @type. Return: as weir_message_raw; WEIR_ENOENT without a
 * message. */
int weir_fortran_struct(weir_message *message, const char *type, const void **ret, weir_error *err);
/* Build a document of @x alone, its elements copied, a scalar as a plain number: what calls and maps are made of. */
int weir_fortran_put(weir_doc *doc, const CFI_cdesc_t *x, int order, int is_unsigned, const weir_value **ret,
                     weir_error *err);

/* Decode JSON text into @doc, which owns everything afterwards: a Fortran text is often gone when its procedure
 * returns.
 * Return: as weir_decode. */
int weir_fortran_parse(weir_doc *doc, const char *json, size_t size, const weir_value **ret, weir_error *err);

/* Wait until one of @count descriptors is readable; ready[i] is 1 for those that are.
 * Return: as weir_wait. */
int weir_fortran_wait(const int *fds, size_t count, int *ready, int64_t timeout_ns, weir_error *err);

/* The wall clock, ns since the epoch. */
int64_t weir_fortran_now(void);

#endif
