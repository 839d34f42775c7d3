/* Channels, as their ends have them. What is read from a part is checked here, once; where it lies and who is a member
 * is the backing's affair. */
#include "transport/shm/channel.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/mapping.h"

/* ---- for backings ---- */

int weir_backing_look(struct weir_backing *backing, const struct weir_backing_ops *ops, const struct weir_place *place,
                      weir_error *err) {
    *backing = (struct weir_backing){.ops = ops};
    memcpy(backing->text, place->text, sizeof(backing->text));
    return ops->look(backing, place, err);
}

int weir_backing_unseen(const struct weir_backing *backing, int status, weir_error *err) {
    switch (status) {
    case WEIR_ENOENT:
        return weir_fail(err, status, "%s: there is no such channel; start its writer first", backing->text);
    case WEIR_EACCESS:
        return weir_fail(err, status, "%s is closed to you; its owner can %s", backing->text,
                         backing->ops->way_in ? backing->ops->way_in
                                              : "make it anew (weir gc first) with mode= and group=");
    case WEIR_EVERSION:
        return weir_fail(err, status, "%s was made by another version of weir; upgrade the older one, or weir gc %s",
                         backing->text, backing->text);
    case WEIR_ECORRUPT:
        return weir_fail(err, status, "%s is damaged; weir gc %s removes it", backing->text, backing->text);
    default: return weir_fail_errno(err, errno, "%s cannot be opened", backing->text);
    }
}

int weir_channel_group(const struct weir_place *place, uint32_t *ret, weir_error *err) {
    *ret = (gid_t)-1;
    if (!place->group[0] || weir_group_find(place->group, strlen(place->group), ret) == WEIR_OK)
        return WEIR_OK;
    return weir_fail(err, WEIR_EADDRESS, "%s: there is no group \"%s\"", place->text, place->group);
}

void weir_channel_head(const struct weir_place *place, enum weir_channel_access access, void *head) {
    struct weir_channel_header header = {
        .version = WEIR_SHM_VERSION,
        .lanes = WEIR_SHM_LANES,
        .slots = WEIR_SHM_SLOTS,
        .slot_size = WEIR_SHM_SLOT_SIZE,
        .created = (uint64_t)weir_clock_realtime(),
        .cursors_size = WEIR_SHM_CURSORS_SIZE,
    };
    memcpy(header.magic, WEIR_SHM_CHANNEL_MAGIC, sizeof(header.magic));
    /* A writer decides when it has its lane (weir_channel_settle), so that one which fails to open leaves nothing
     * behind. */
    int decides = access != WEIR_CHANNEL_WRITE && place->is_kept_given;
    uint32_t keep = !decides ? WEIR_CHANNEL_UNDECIDED : place->is_kept ? WEIR_CHANNEL_KEEP : WEIR_CHANNEL_GO;
    memset(head, 0, WEIR_SHM_CHANNEL_SIZE);
    memcpy(head, &header, sizeof(header));
    memcpy((char *)head + WEIR_SHM_PAGE + offsetof(struct weir_channel_page, keep), &keep, sizeof(keep));
}

void weir_cursors_head(void *head) {
    uint32_t numbers[2] = {WEIR_SHM_VERSION, WEIR_SHM_SLOTS};
    memset(head, 0, sizeof(struct weir_cursors_head));
    memcpy(head, WEIR_SHM_CURSORS_MAGIC, sizeof(WEIR_SHM_CURSORS_MAGIC));
    memcpy((char *)head + offsetof(struct weir_cursors_head, version), numbers, sizeof(numbers));
}

uint32_t weir_channel_kept(const struct weir_backing *backing) {
    struct weir_channel_header header;
    struct weir_part part;
    uint32_t keep = WEIR_CHANNEL_KEEP;
    if (backing->ops->part_open(backing, (struct weir_part_id){.kind = WEIR_PART_CHANNEL}, 0, &part) != WEIR_OK)
        return keep;
    const uint64_t offset = WEIR_SHM_PAGE + offsetof(struct weir_channel_page, keep);
    if (backing->ops->part_read(&part, 0, &header, sizeof(header)) != WEIR_OK ||
        memcmp(header.magic, WEIR_SHM_CHANNEL_MAGIC, sizeof(header.magic)) != 0 || header.version != WEIR_SHM_VERSION ||
        backing->ops->part_read(&part, offset, &keep, sizeof(keep)) != WEIR_OK)
        keep = WEIR_CHANNEL_KEEP; /* damaged, or of another version: not ours to judge */
    backing->ops->part_close(&part);
    return keep;
}

/* ---- opening the parts of a channel that we are a member of ---- */

static const char *part_text(enum weir_part_kind kind) {
    return kind == WEIR_PART_CHANNEL ? "channel" : "cursors";
}

static int part_failed(const struct weir_shm_channel *channel, enum weir_part_kind kind, int status, weir_error *err) {
    const char *text = weir_channel_text(channel);
    if (status == WEIR_ECORRUPT)
        return weir_fail(err, status, "%s: its part \"%s\" is not what it should be; remove %s", text, part_text(kind),
                         channel->backing.path);
    if (status == WEIR_EACCESS)
        return weir_fail_errno(err, errno, "%s does not let you %s", text,
                               channel->access == WEIR_CHANNEL_WRITE
                                   ? "write; its owner can make it anew (weir gc first) with mode=0660 and group="
                               : channel->access == WEIR_CHANNEL_READ
                                   ? "hold its writers back; observe=1 may be allowed"
                                   : "read");
    return weir_fail_errno(err, errno, "%s: its part \"%s\" cannot be opened", text, part_text(kind));
}

static int part_open(const struct weir_shm_channel *channel, enum weir_part_kind kind, uint64_t size_min, int may_write,
                     struct weir_part *ret, weir_error *err) {
    const struct weir_backing *backing = &channel->backing;
    int status = backing->ops->part_open(backing, (struct weir_part_id){.kind = kind}, may_write, ret);
    if (status == WEIR_OK && ret->size < size_min) {
        backing->ops->part_close(ret);
        status = WEIR_ECORRUPT;
    }
    return status ? part_failed(channel, kind, status, err) : WEIR_OK;
}

static int header_check(const struct weir_shm_channel *channel, const struct weir_part *part, weir_error *err) {
    struct weir_channel_header header;
    if (channel->backing.ops->part_read(part, 0, &header, sizeof(header)) != WEIR_OK)
        return weir_fail_errno(err, errno, "%s cannot be read", weir_channel_text(channel));
    if (part->uid != channel->backing.uid || memcmp(header.magic, WEIR_SHM_CHANNEL_MAGIC, sizeof(header.magic)) != 0)
        return weir_fail(err, WEIR_ECORRUPT, "%s is no channel of weir; remove %s", weir_channel_text(channel),
                         channel->backing.path);
    if (header.version != WEIR_SHM_VERSION || header.lanes != WEIR_SHM_LANES || header.slots != WEIR_SHM_SLOTS ||
        header.slot_size != WEIR_SHM_SLOT_SIZE || header.cursors_size != WEIR_SHM_CURSORS_SIZE)
        return weir_fail(err, WEIR_EVERSION, "%s was made by another version of weir (layout %u, ours is %u)",
                         weir_channel_text(channel), header.version, WEIR_SHM_VERSION);
    return WEIR_OK;
}

static int page_open(struct weir_shm_channel *channel, weir_error *err) {
    const struct weir_backing_ops *ops = channel->backing.ops;
    int may_write = channel->access == WEIR_CHANNEL_WRITE;
    struct weir_part part;
    int status = part_open(channel, WEIR_PART_CHANNEL, WEIR_SHM_CHANNEL_SIZE, may_write, &part, err);
    if (status)
        return status;
    unsigned char *data = NULL;
    status = header_check(channel, &part, err);
    if (status == WEIR_OK && !(data = ops->part_map(&part, may_write ? WEIR_MAPPING_WRITE : 0)))
        status = weir_fail_errno(err, errno, "%s cannot be mapped", weir_channel_text(channel));
    ops->part_close(&part);
    if (status)
        return status;
    channel->page = (struct weir_channel_page *)(data + WEIR_SHM_PAGE);
    channel->page_map_size = part.size;
    channel->mode = part.mode;
    channel->gid = part.gid;
    channel->is_private = part.uid == geteuid() && (part.mode & 022) == 0;
    return WEIR_OK;
}

static int cursors_open(struct weir_shm_channel *channel, weir_error *err) {
    const struct weir_backing_ops *ops = channel->backing.ops;
    struct weir_part part;
    int status = part_open(channel, WEIR_PART_CURSORS, WEIR_SHM_CURSORS_SIZE, 1, &part, err);
    if (status)
        return status;
    channel->cursors =
        ops->part_map(&part, WEIR_MAPPING_WRITE); /* few of its pages are ever used, some have no memory */
    channel->cursors_map_size = part.size;
    status =
        channel->cursors ? WEIR_OK : weir_fail_errno(err, errno, "%s cannot be mapped", weir_channel_text(channel));
    ops->part_close(&part);
    if (status == WEIR_OK && memcmp(channel->cursors->magic, WEIR_SHM_CURSORS_MAGIC, 8) != 0)
        status = weir_fail(err, WEIR_ECORRUPT, "%s is damaged; remove %s", weir_channel_text(channel),
                           channel->backing.path);
    return status;
}

int weir_channel_join(struct weir_shm_channel *channel, const struct weir_backing_ops *ops,
                      const struct weir_place *place, enum weir_channel_access access, weir_error *err) {
    *channel = (struct weir_shm_channel){
        .backing = {.ops = ops},
        .access = access,
        .wakes = ops->wakes,
        .slot_stride = ops->wakes ? ops->wakes->slot_stride : WEIR_SHM_SLOT_SIZE,
    };
    memcpy(channel->backing.text, place->text, sizeof(channel->backing.text));
    int status = ops->join(&channel->backing, place, access, err);
    if (status == WEIR_OK)
        status = page_open(channel, err);
    if (status == WEIR_OK && access >= WEIR_CHANNEL_READ)
        status = cursors_open(channel, err);
    if (status)
        weir_channel_leave(channel);
    return status;
}

void weir_channel_settle(struct weir_shm_channel *channel, const struct weir_place *place) {
    uint32_t wanted = place->is_kept ? WEIR_CHANNEL_KEEP : WEIR_CHANNEL_GO;
    uint32_t undecided = WEIR_CHANNEL_UNDECIDED;
    if (place->is_kept_given)
        atomic_store(&channel->page->keep, wanted);
    else
        atomic_compare_exchange_strong(&channel->page->keep, &undecided, wanted);
}

/* ---- leaving ---- */

static void channel_unmap(struct weir_shm_channel *channel) {
    if (channel->page)
        weir_mapping_free((unsigned char *)channel->page - WEIR_SHM_PAGE, channel->page_map_size);
    weir_mapping_free(channel->cursors, channel->cursors_map_size);
    channel->page = NULL;
    channel->cursors = NULL;
}

void weir_channel_leave(struct weir_shm_channel *channel) {
    int must_go = channel->page && atomic_load(&channel->page->keep) != WEIR_CHANNEL_KEEP;
    channel_unmap(channel);
    channel->backing.ops->leave(&channel->backing, must_go);
}

void weir_channel_abandon(struct weir_shm_channel *channel) {
    channel->page = NULL; /* not inherited, so there is nothing to unmap */
    channel->cursors = NULL;
    channel->backing.ops->abandon(&channel->backing);
}
