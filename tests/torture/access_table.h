/* What torture_access expects: each operation of each user, as docs/spec/ says. Included once, behind the
 * operations. */
enum { NO = WEIR_EACCESS, BUSY = WEIR_EBUSY, CANNOT = WEIR_ENOTSUP };

/* clang-format off */
static const struct mechanism mechanisms[] = {
    /*                                  member 0600 0640 0660 | stranger 0600 0640 0644 0666 | owner */
    {"unix", "unix://%1$s/x?listen=1&mode=0%2$o&group=%3$d", "unix://%1$s/x?connect=1", "%1$s/x", 0, {
        {"observe",      try_observe,     {NO, NO, 0, NO, NO, NO, 0, 0}},
        {"read",         try_read,        {NO, NO, 0, NO, NO, NO, 0, 0}},
        {"write",        try_write,       {NO, NO, 0, NO, NO, NO, 0, 0}},
        {"latest",       try_latest,      {NO, NO, 0, NO, NO, NO, 0, 0}},
        {"connect",      try_connect,     {EACCES, EACCES, 0, EACCES, EACCES, EACCES, 0, 0}},
        {"remove",       try_remove,      {NO, NO, NO, NO, NO, NO, NO, BUSY}},
        {"chmod",        try_chmod,       {EPERM, EPERM, EPERM, EPERM, EPERM, EPERM, EPERM, NOT}},
        {"move",         try_move,        {EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, NOT}},
        {"unlink",       try_unlink,      {EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, NOT}},
        {"plant a lock", try_plant,       {EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST}}}},
    {"fifo", "fifo://%1$s/x?mode=0%2$o&group=%3$d", "fifo://%1$s/x", "%1$s/x", 0, {
        {"observe",      try_observe,     {NO, 0, 0, NO, NO, 0, 0, 0}},
        {"read",         try_read,        {NO, 0, 0, NO, NO, 0, 0, 0}},
        {"write",        try_write,       {NO, NO, BUSY, NO, NO, NO, BUSY, BUSY}},
        {"read bytes",   try_bytes_read,  {EACCES, 0, 0, EACCES, EACCES, 0, 0, 0}},
        {"write bytes",  try_bytes_write, {EACCES, EACCES, 0, EACCES, EACCES, EACCES, 0, 0}},
        {"remove",       try_remove,      {CANNOT, CANNOT, CANNOT, CANNOT, CANNOT, CANNOT, CANNOT, CANNOT}},
        {"chmod",        try_chmod,       {EPERM, EPERM, EPERM, EPERM, EPERM, EPERM, EPERM, NOT}},
        {"move",         try_move,        {EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, NOT}},
        {"unlink",       try_unlink,      {EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, NOT}}}},
    {"file", "file://%1$s/x.weir?mode=0%2$o&group=%3$d", "file://%1$s/x.weir", "%1$s/x.weir", 0, {
        {"observe",      try_observe,     {NO, 0, 0, NO, NO, 0, 0, 0}},
        {"read",         try_read,        {NO, 0, 0, NO, NO, 0, 0, 0}},
        {"write",        try_write,       {NO, NO, 0, NO, NO, NO, 0, 0}},
        {"latest",       try_latest,      {NO, 0, 0, NO, NO, 0, 0, 0}},
        {"read bytes",   try_bytes_read,  {EACCES, 0, 0, EACCES, EACCES, 0, 0, 0}},
        {"write bytes",  try_bytes_write, {EACCES, EACCES, 0, EACCES, EACCES, EACCES, 0, 0}},
        {"truncate",     try_truncate,    {EACCES, EACCES, NOT, EACCES, EACCES, EACCES, NOT, NOT}},
        {"chmod",        try_chmod,       {EPERM, EPERM, EPERM, EPERM, EPERM, EPERM, EPERM, NOT}},
        {"move",         try_move,        {EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, NOT}},
        {"unlink",       try_unlink,      {EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, EACCES, NOT}}}},
    {"sysv", "sysv://0x7e57?mode=0%2$o&group=%3$d", "sysv://~%2$d/0x7e57", NULL, 0, {
        {"observe",      try_observe,     {NO, 0, 0, NO, NO, 0, 0, 0}},
        {"read",         try_read,        {NO, NO, 0, NO, NO, NO, 0, 0}},
        {"write",        try_write,       {NO, NO, NO, NO, NO, NO, 0, 0}},
        {"latest",       try_latest,      {NO, 0, 0, NO, NO, 0, 0, 0}},
        {"remove",       try_remove,      {NO, NO, NO, NO, NO, NO, NO, BUSY}},
        {"attach",       try_attach_read, {EACCES, 0, 0, EACCES, EACCES, 0, 0, 0}},
        {"attach writable", try_attach_write, {EACCES, EACCES, 0, EACCES, EACCES, EACCES, 0, 0}},
        {"remove the segment", try_segment_remove, {EPERM, EPERM, EPERM, EPERM, EPERM, EPERM, EPERM, NOT}},
        {"change a semaphore", try_semaphore_change, {EACCES, EACCES, NOT, EACCES, EACCES, EACCES, NOT, NOT}},
        {"remove the set", try_set_remove, {EPERM, EPERM, EPERM, EPERM, EPERM, EPERM, EPERM, NOT}}}},
    {"sealed", "shm://x?sealed=1&mode=0%2$o&group=%3$d", "shm://~%2$d/x?sealed=1", NULL, 022, {
        {"observe",      try_observe,     {NO, 0, NOT, NO, NO, 0, NOT, 0}},
        {"read",         try_read,        {NO, 0, NOT, NO, NO, 0, NOT, 0}},
        {"write",        try_write,       {NO, NO, NOT, NO, NO, NO, NOT, 0}},
        {"latest",       try_latest,      {NO, 0, NOT, NO, NO, 0, NOT, 0}},
        {"remove",       try_remove,      {NO, NO, NOT, NO, NO, NO, NOT, BUSY}}}},
};
struct squat {
    const char *name;
    const char *address;
    int (*make)(void);
    int outcome;
};
static const struct squat squats[] = {
    {"unix: a stranger's socket",    "unix://%s/x", make_socket,    NO},
    {"unix: a stranger's file",      "unix://%s/x", make_file,      WEIR_EADDRESS},
    {"unix: a stranger's link",      "unix://%s/x", make_link,      WEIR_EADDRESS},
    {"unix: a stranger's directory", "unix://%s/x", make_directory, WEIR_EADDRESS},
    {"fifo: a stranger's pipe",      "fifo://%s/x", make_fifo,      NO},
    {"fifo: a stranger's file",      "fifo://%s/x", make_file,      WEIR_EADDRESS},
    {"fifo: a stranger's link",      "fifo://%s/x", make_link,      NO},
    {"fifo: a stranger's directory", "fifo://%s/x", make_directory, WEIR_EADDRESS},
    {"file: a stranger's file",      "file://%s/x?framing=weir", make_file,      NO},
    {"file: a stranger's pipe",      "file://%s/x?framing=weir", make_fifo,      WEIR_EADDRESS},
    {"file: a stranger's link",      "file://%s/x?framing=weir", make_link,      WEIR_EADDRESS},
    {"file: a stranger's directory", "file://%s/x?framing=weir", make_directory, WEIR_EADDRESS},
    {"sysv: a stranger's segment",   "sysv://0x7e57", make_segment, NO},
    {"sysv: a stranger's semaphores", "sysv://0x7e57", make_set,    NO},
};
struct port_case {
    const char *name;
    uid_t uid;
    int secret; /* whose; -1: none */
    int outcomes[3]; /* of reading, writing, and the latest */
};
static const struct port_case ports[] = {
    {"the owner with the secret",            OWNER,    0,  {0, 0, 0}},
    {"a stranger with the secret's name",    STRANGER, 0,  {NO, NO, NO}},
    {"a stranger with another secret",       STRANGER, 1,  {NO, NO, NO}},
    {"a stranger without a secret",          STRANGER, -1, {NO, NO, NO}},
};
/* clang-format on */
