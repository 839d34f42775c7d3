/* info of a socket at a path: whose it is, who may connect, and who listens.
 *
 * What must stay true: nobody is connected to and the lease is not touched; the kernel's list of sockets says who listens. What the
 * peers do is not in any file but their records, which the directory of live ends adds. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "os/process.h"
#include "transport/socket/local.h"
#include "transport/tell.h"

static void listener_tell(weir_doc *doc, int64_t pid, uint32_t uid) {
    weir_put_key(doc, "listener");
    if (pid == 0) {
        weir_put_null(doc);
        return;
    }
    weir_begin_map(doc);
    weir_tell_process(doc, pid, uid);
    weir_end(doc);
}

int weir_socket_local_info(const struct weir_place *place, weir_doc *doc, weir_error *err) {
    char made_as[WEIR_PLACE_TEXT_MAX + 8];
    struct stat about;
    uint32_t uid = 0;
    if (lstat(place->name, &about) != 0)
        return weir_fail_errno(err, errno, "%s: nobody has made a socket there", place->text);
    if (!S_ISSOCK(about.st_mode))
        return weir_fail(err, WEIR_EADDRESS, "%s: what is there is no socket; choose another path", place->text);
    snprintf(made_as, sizeof(made_as), "%s.new", place->name); /* a socket keeps the name it was bound by */
    int64_t pid = weir_process_listens(place->name, made_as, &uid);
    weir_tell_text(doc, "state", pid ? "live" : "idle");
    weir_tell_text(doc, "path", place->name);
    weir_tell_rights(doc, about.st_uid, about.st_gid, about.st_mode & 0777);
    listener_tell(doc, pid, uid);
    return WEIR_OK;
}
