/* Ends of sealed channels, and looking at them from outside. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/shm/end.h"
#include "transport/shm/sealed.h"
#include "transport/tell.h"

int weir_sealed_check(const struct weir_place *place, weir_error *err) {
    if (sysconf(_SC_PAGESIZE) != WEIR_SEALED_PAGE)
        return weir_fail(err, WEIR_ENOTSUP, "%s: sealed=1 needs pages of %d bytes, here they are larger", place->text,
                         WEIR_SEALED_PAGE);
    if (place->mode & 022)
        return weir_fail(err, WEIR_EADDRESS,
                         "%s: only its owner writes a sealed channel; with mode=%04o others do, write 0640 or 0644",
                         place->text, place->mode);
    if (place->is_kept && place->is_kept_given)
        return weir_fail(err, WEIR_EADDRESS, "%s: a sealed channel goes with its last end; leave out keep=1",
                         place->text);
    if (place->wait == WEIR_WAIT_SEM)
        return weir_fail(err, WEIR_EADDRESS,
                         "%s: a sealed channel has no memory that all readers share, as wait=sem needs; use wait=futex",
                         place->text);
    return WEIR_OK;
}

int weir_sealed_is_there(const struct weir_place *place) {
    struct weir_backing backing;
    if (weir_backing_look(&backing, &weir_backing_sealed, place, NULL) != WEIR_OK)
        return 0;
    backing.ops->abandon(&backing);
    return 1;
}

int weir_sealed_open(void *state, const struct weir_place *place, enum weir_role role, weir_error *err) {
    struct weir_place sealed = *place;
    if (role == WEIR_ROLE_CLIENT || role == WEIR_ROLE_SERVER)
        return weir_fail(err, WEIR_ENOTSUP,
                         "%s: a sealed channel carries no calls; use unix:// with allow=", place->text);
    sealed.is_sealed = 1;
    sealed.is_kept = 0;
    sealed.is_kept_given = 1;
    int status = weir_sealed_check(&sealed, err);
    return status ? status : weir_shm_open(state, &weir_backing_sealed, &sealed, role, err);
}

/* ---- the latest value ---- */

static int newest_take(struct shm *shm, const struct weir_place *place, struct weir_buffer *out,
                       struct weir_inbound *ret, weir_error *err) {
    struct weir_inbound inbound;
    int status = weir_shm_next(shm, &inbound, err);
    if (status == WEIR_EAGAIN)
        return weir_fail(err, WEIR_ENOENT, "%s: there is no message yet", place->text);
    if (status)
        return status;
    unsigned char *room = weir_buffer_room(out, inbound.size);
    if (!room)
        return weir_fail(err, WEIR_ENOMEM, "%s: no memory for a message of %zu bytes", place->text, inbound.size);
    memcpy(room, inbound.bytes, inbound.size);
    memcpy(room, &inbound.word, sizeof(inbound.word));
    out->size += inbound.size;
    *ret = inbound;
    ret->bytes = room;
    ret->gap = 0;
    return WEIR_OK;
}

/* Sealed memory is seen by who is let in only, so this is a reader for a moment. */
int weir_sealed_latest(const struct weir_place *place, struct weir_buffer *out, struct weir_inbound *ret,
                       weir_error *err) {
    struct weir_place observer = *place;
    size_t size = (sizeof(struct shm) + 63) & ~(size_t)63;
    struct shm *shm = aligned_alloc(64, size);
    if (!shm)
        return weir_fail(err, WEIR_ENOMEM, "%s: out of memory", place->text);
    memset(shm, 0, size);
    observer.from = WEIR_FROM_LAST;
    observer.is_observer = 1;
    observer.may_create = 0;
    observer.allow.count = 0;
    int status = weir_sealed_open(shm, &observer, WEIR_ROLE_READER, err);
    if (status == WEIR_OK) {
        status = newest_take(shm, place, out, ret, err);
        weir_shm_close(shm);
    }
    free(shm);
    return status;
}

/* ---- info ---- */

/* Those whose sockets are there; the kernel's locks say who lives, where we may ask. */
static void writers_tell(const struct weir_backing *backing, weir_doc *doc) {
    const struct weir_files *files = weir_files_of(backing);
    struct stat about;
    char name[16];
    weir_put_key(doc, "writers");
    weir_begin_array(doc);
    for (unsigned number = 0; number < WEIR_SHM_LANES; number++) {
        snprintf(name, sizeof(name), "sock.%u", number);
        if (fstatat(files->fd, name, &about, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        int is_held = weir_backing_files.lease_is_held(backing, WEIR_LEASE_LANE + number);
        weir_begin_map(doc);
        weir_tell_number(doc, "number", number);
        weir_tell_text(doc, "state", is_held < 0 ? NULL : is_held ? "live" : "dead");
        weir_end(doc);
    }
    weir_end(doc);
}

int weir_sealed_info(const struct weir_place *place, weir_doc *doc, weir_error *err) {
    struct weir_backing backing;
    struct weir_allow allow;
    struct stat about;
    int status = weir_backing_look(&backing, &weir_backing_sealed, place, err);
    if (status)
        return status;
    int fd = openat(weir_files_of(&backing)->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0) {
        status = weir_backing_unseen(&backing, errno == EACCES ? WEIR_EACCESS : WEIR_ESYSTEM, err);
    } else {
        weir_access_read(fd, &allow);
        weir_tell_text(doc, "state", backing.ops->lease_is_held(&backing, WEIR_LEASE_MEMBERS) == 1 ? "live" : "idle");
        weir_tell_text(doc, "path", backing.path);
        weir_tell_rights(doc, about.st_uid, about.st_gid, about.st_mode & 0666);
        weir_tell_allow(doc, &allow);
        weir_tell_bool(doc, "sealed", 1);
        weir_tell_bool(doc, "keep", 0);
        weir_tell_text(
            doc, "copies",
            "1: what is sent is copied into the writer's memory, which readers map; 0 when it is reserved there. "
            "Readers take it where it lies unless the writer overwrites it (full=drop-oldest) or they observe");
        writers_tell(&backing, doc);
    }
    weir_descriptor_close(&fd);
    backing.ops->abandon(&backing);
    return status;
}
