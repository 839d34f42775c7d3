/* Writers, readers, observers, and the latest value. Options stand in the address: see weir/channel.h. */
#ifndef WEIR_CHANNEL_HPP
#define WEIR_CHANNEL_HPP

#include <algorithm>
#include <vector>

#include <weir/message.hpp>

namespace weir {

/* What goes with the data: w.send(x, {.op = "spectrum", .meta = weir::map{{"unit", "V"}}}). A map made outside of a
 * loop costs nothing in it. */
struct send_options {
    text_arg op{};
    value meta{};
};

namespace detail {

/* Turns what a caller sends into the value that the C functions take. Its document is kept, so that a loop allocates
 * nothing. */
class argument {
public:
    template <typename T> const weir_value *from(const T &source) {
        if constexpr (std::convertible_to<const T &, value>) {
            return value(source).raw();
        } else {
            if (!builder_)
                builder_.emplace();
            builder_->clear();
            return builder_->refer(source).finish().raw();
        }
    }

private:
    std::optional<builder> builder_;
};

template <typename T>
concept array_argument = std::same_as<T, ndarray> || array_like<const T>;

} // namespace detail

class writer;

/* Room for structs in the channel itself: write them, then commit. Destroyed before that, nothing is sent. */
template <raw_struct T> class struct_reservation {
public:
    struct_reservation(weir_writer *owner, T *data, std::size_t count) noexcept
        : owner_(owner), data_(data), count_(count) {}
    struct_reservation(struct_reservation &&other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), data_(other.data_), count_(other.count_) {}
    struct_reservation &operator=(struct_reservation &&) = delete;
    ~struct_reservation() {
        if (owner_)
            weir_writer_discard(owner_);
    }

    std::span<T> span() const noexcept { return {data_, count_}; }
    T &operator[](std::size_t index) const noexcept { return data_[index]; }
    T &operator*() const noexcept { return *data_; }
    T *operator->() const noexcept { return data_; }
    void commit() {
        weir_error e;
        detail::check(weir_writer_commit(std::exchange(owner_, nullptr), &e), e);
    }

private:
    weir_writer *owner_;
    T *data_;
    std::size_t count_;
};

/* Room for an array in the channel itself: write the elements, then commit. Destroyed before that, nothing is sent. */
template <element_type T> class reservation {
public:
    reservation(weir_writer *owner, const weir_ndarray &shape, T *data) noexcept
        : owner_(owner), raw_(shape), data_(data) {}
    reservation(reservation &&other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), raw_(other.raw_), data_(other.data_) {}
    reservation &operator=(reservation &&) = delete;
    ~reservation() {
        if (owner_)
            weir_writer_discard(owner_);
    }

    std::span<T> span() const noexcept { return {data_, weir_ndarray_count(&raw_)}; }
    T &operator[](std::size_t index) const noexcept { return data_[index]; }
    /* The element at these indices, as many as there are dimensions, in row order. Not checked. */
    template <std::integral... I> T &operator()(I... index) const noexcept {
        std::size_t place = 0, dimension = 0;
        ((place = place * raw_.shape[dimension++] + static_cast<std::size_t>(index)), ...);
        return data_[place];
    }
    void commit() {
        weir_error e;
        detail::check(weir_writer_commit(std::exchange(owner_, nullptr), &e), e);
    }

private:
    weir_writer *owner_;
    weir_ndarray raw_;
    T *data_;
};

/* While it lives messages may be held back, so that many are published, and readers woken, at once. */
class batch {
public:
    explicit batch(weir_writer *owner) noexcept : owner_(owner) { weir_writer_cork(owner_); }
    batch(batch &&other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    batch &operator=(batch &&) = delete;
    /* Publishes too, but a destructor cannot say what failed. */
    ~batch() {
        if (owner_)
            weir_writer_uncork(owner_, nullptr);
    }
    void publish() {
        weir_error e;
        detail::check(weir_writer_uncork(std::exchange(owner_, nullptr), &e), e);
    }

private:
    weir_writer *owner_;
};

class writer {
public:
    explicit writer(const text_arg &address) {
        weir_writer *made;
        weir_error e;
        detail::check(weir_writer_open(address.c_str(), &made, &e), e);
        handle_.reset(made);
    }

    /* Send anything that builder::put takes. An array or a contiguous range of numbers goes as it lies in memory.
     * Throws again_error (full=fail), timeout_error (full=block), too_big_error, closed_error, ...; then nothing was
     * sent. */
    template <typename T> void send(const T &data, const send_options &options = {}) {
        weir_error e;
        if constexpr (detail::array_argument<T>) {
            const weir_ndarray array = to_array(data).raw(); /* a copy: what as_array made ends here */
            detail::check(weir_writer_send_ndarray(raw(), options.op.c_str(), options.meta.raw(), &array, &e), e);
        } else {
            const weir_value *v = argument_.from(data);
            detail::check(weir_writer_send(raw(), options.op.c_str(), options.meta.raw(), v, &e), e);
        }
    }
    /* Send a message without data. */
    void send(const send_options &options) { send(value(), options); }
    /* Send a struct, or a contiguous range of them, as it lies. @type says how that is, as "{t: i64, accel: f64[3]}" or
     * "{x: f32, y: f32}[100]"; throws invalid_error when it has another size. */
    template <raw_struct T> void send_struct(const T &data, const text_arg &type, const send_options &options = {}) {
        send_bytes(codec::raw, std::as_bytes(std::span(&data, 1)), type, options);
    }
    template <std::ranges::contiguous_range R>
    requires raw_struct<std::ranges::range_value_t<R>>
    void send_structs(const R &data, const text_arg &type, const send_options &options = {}) {
        send_bytes(codec::raw, std::as_bytes(std::span(data)), type, options);
    }
    /* Send data that is already encoded. @type: of raw data, as "f64[4,256]". */
    void send_bytes(codec encoded, std::span<const std::byte> bytes, const text_arg &type = {},
                    const send_options &options = {}) {
        weir_error e;
        detail::check(weir_writer_send_bytes(raw(), options.op.c_str(), options.meta.raw(), static_cast<int>(encoded),
                                             type.c_str(), bytes.data(), bytes.size(), &e),
                      e);
    }

    /* Send many messages in one call, of a range whose elements are data that is already encoded: strings, vectors or
     * spans of bytes, of numbers, of structs. They are published, and readers woken, at once, and have one time.
     * @type: of raw data, that of each. @sent: how many went, also when it throws. */
    template <std::ranges::input_range R>
    requires std::ranges::contiguous_range<std::ranges::range_reference_t<R>>
    void send_many(codec encoded, R &&data, const text_arg &type = {}, const send_options &options = {},
                   std::size_t *sent = nullptr) {
        views_.clear();
        for (auto &&one : data) {
            auto bytes = std::as_bytes(std::span(one));
            views_.push_back({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
        }
        weir_error e;
        detail::check(weir_writer_send_many(raw(), options.op.c_str(), options.meta.raw(), static_cast<int>(encoded),
                                            type.c_str(), views_.data(), views_.size(), sent, &e),
                      e);
    }

    /* Send without a copy: auto r = w.reserve<double>({4, 256}); fill r; r.commit(). */
    template <element_type T> reservation<T> reserve(extents shape, const send_options &options = {}) {
        weir_ndarray raw_array{};
        if (shape.size() > WEIR_RANK_MAX)
            throw invalid_error("an array has at most " + std::to_string(int{WEIR_RANK_MAX}) + " dimensions");
        raw_array.element = static_cast<std::uint32_t>(detail::element_of<T>());
        raw_array.rank = static_cast<std::uint32_t>(shape.size());
        std::ranges::copy(shape, raw_array.shape);
        char type[WEIR_RANK_MAX * 21 + 8];
        write_type(raw_array, type);
        void *data;
        std::size_t size;
        weir_error e;
        detail::check(weir_writer_reserve(raw(), options.op.c_str(), options.meta.raw(), type, &data, &size, &e), e);
        return reservation<T>(raw(), raw_array, static_cast<T *>(data));
    }
    template <element_type T> reservation<T> reserve(std::size_t count, const send_options &options = {}) {
        return reserve<T>({static_cast<std::uint64_t>(count)}, options);
    }

    /* The same for structs: auto r = w.reserve_struct<reading>(type); r->t = 5; r.commit(). Of an array of structs,
     * r[i]. */
    template <raw_struct T>
    struct_reservation<T> reserve_struct(const text_arg &type, const send_options &options = {}) {
        void *data;
        std::size_t size;
        weir_error e;
        detail::check(
            weir_writer_reserve(raw(), options.op.c_str(), options.meta.raw(), type.c_str(), &data, &size, &e), e);
        struct_reservation<T> room(raw(), static_cast<T *>(data), size / sizeof(T));
        if (size % sizeof(T) != 0)
            throw invalid_error(std::string(type.view()) + " is " + std::to_string(size) + " bytes, the struct " +
                                std::to_string(sizeof(T)));
        std::memset(data, 0, size); /* also what lies between the fields */
        return room;
    }

    batch hold() noexcept { return batch(raw()); }

    /* How long a send may wait under full=block. */
    void set_timeout(weir::timeout wait) noexcept { weir_writer_set_timeout(raw(), wait.ns()); }
    /* What it is now: what the address said, or what was set. */
    weir::timeout timeout() const noexcept {
        const std::int64_t ns = weir_writer_timeout(raw());
        return ns < 0 ? forever : weir::timeout(std::chrono::nanoseconds(ns));
    }
    /* The time of the messages from the next one on, for who sends what was measured before: 0 for none, WEIR_TIME_NOW
     * for the clock's again. */
    void set_time(std::int64_t ns) noexcept { weir_writer_set_time(raw(), ns); }
    void set_time(time_point moment) noexcept { set_time(moment.time_since_epoch().count()); }
    /* Wait until @count readers are there; false when they were not in time. */
    bool wait_readers(std::uint32_t count, weir::timeout wait = forever) {
        weir_error e;
        int status = weir_writer_wait_readers(raw(), count, wait.ns(), &e);
        if (status == WEIR_ETIMEOUT)
            return false;
        detail::check(status, e);
        return true;
    }
    /* seq of the message sent last; 0 before the first. */
    std::uint64_t seq() const noexcept { return weir_writer_seq(raw()); }
    /* Messages that full=drop-newest threw away. */
    std::uint64_t dropped() const noexcept { return weir_writer_dropped(raw()); }
    weir_writer *raw() const noexcept { return handle_.get(); }

private:
    template <typename T> static ndarray to_array(const T &data) noexcept {
        if constexpr (std::same_as<T, ndarray>)
            return data;
        else
            return as_array(data);
    }

    /* detail::type_text without an allocation. */
    static void write_type(const weir_ndarray &array, char *type) noexcept {
        std::string_view name = weir_element_name(array.element);
        type += name.copy(type, name.size());
        for (std::uint32_t i = 0; i < array.rank; i++) {
            *type++ = i ? ',' : '[';
            type = std::to_chars(type, type + 20, array.shape[i]).ptr;
        }
        if (array.rank)
            *type++ = ']';
        *type = 0;
    }

    detail::handle<weir_writer, weir_writer_close> handle_;
    detail::argument argument_;
    std::vector<weir_view> views_; /* kept, so that a loop allocates nothing */
};

class reader;

/* The messages of a reader, one after the other, until none has come for @wait or the channel is closed. */
class message_range {
public:
    class iterator {
    public:
        using value_type = message_ref;
        using difference_type = std::ptrdiff_t;

        iterator() noexcept = default;
        iterator(reader *source, timeout wait) : source_(source), wait_(wait) { ++*this; }
        const message_ref &operator*() const noexcept { return *current_; }
        const message_ref *operator->() const noexcept { return &*current_; }
        iterator &operator++();
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const noexcept { return !current_; }

    private:
        reader *source_ = nullptr;
        timeout wait_ = forever;
        std::optional<message_ref> current_;
    };

    message_range(reader &source, timeout wait) noexcept : source_(&source), wait_(wait) {}
    iterator begin() const { return iterator(source_, wait_); }
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    reader *source_;
    timeout wait_;
};

class reader {
public:
    explicit reader(const text_arg &address) {
        weir_reader *made;
        weir_error e;
        detail::check(weir_reader_open(address.c_str(), &made, &e), e);
        handle_.reset(made);
    }

    /* The next message, borrowed until the reader's next call; nothing when none came in time.
     * Throws closed_error, corrupt_error (one writer's lane is given up, go on for the others), ... */
    std::optional<message_ref> next(weir::timeout wait = forever) {
        weir_message *found;
        weir_error e;
        int status = weir_reader_next(raw(), wait.ns(), &found, &e);
        if (status == WEIR_ETIMEOUT)
            return std::nullopt;
        detail::check(status, e);
        return message_ref(found);
    }
    /* The next messages, borrowed together until the reader's next call: waits for the first, and takes those that are
     * there with it, at most @max. Empty when none came in time. Throws as next; what goes wrong behind a message is
     * thrown by the next call. */
    std::span<const message_ref> next_many(std::size_t max = WEIR_MANY_MAX, weir::timeout wait = forever) {
        weir_message *found[WEIR_MANY_MAX];
        std::size_t count;
        weir_error e;
        many_.clear();
        int status =
            weir_reader_next_many(raw(), wait.ns(), found, std::min<std::size_t>(max, WEIR_MANY_MAX), &count, &e);
        if (status == WEIR_ETIMEOUT)
            return {};
        detail::check(status, e);
        for (std::size_t i = 0; i < count; i++)
            many_.emplace_back(found[i]);
        return many_;
    }
    /* Skip to the newest message, also when it was read before; nothing when there is none yet. */
    std::optional<message_ref> latest() {
        weir_message *found;
        weir_error e;
        int status = weir_reader_latest(raw(), &found, &e);
        if (status == WEIR_ENOENT)
            return std::nullopt;
        detail::check(status, e);
        return message_ref(found);
    }

    /* for (auto &m : reader): until the channel is closed; reader.within(2s): or nothing came for two seconds. */
    message_range::iterator begin() { return {this, forever}; }
    std::default_sentinel_t end() const noexcept { return {}; }
    message_range within(weir::timeout wait) noexcept { return {*this, wait}; }

    /* Give the message back before the next call, so that the writer may use its room. */
    void release() noexcept { weir_reader_release(raw()); }
    /* For poll, epoll and event loops: readable while next has something to do. Then call next(0s) until nothing comes.
     * Owned by the reader. */
    int fd() {
        int found;
        weir_error e;
        detail::check(weir_reader_fd(raw(), &found, &e), e);
        return found;
    }
    /* Messages this reader has missed in all. */
    std::uint64_t gaps() const noexcept { return weir_reader_gaps(raw()); }
    weir_reader *raw() const noexcept { return handle_.get(); }

private:
    detail::handle<weir_reader, weir_reader_close> handle_;
    std::vector<message_ref> many_;
};

inline message_range::iterator &message_range::iterator::operator++() {
    try {
        current_ = source_->next(wait_);
    } catch (const closed_error &) {
        current_.reset();
    }
    return *this;
}

/* A reader that never holds a writer back: observe=1 in the address. */
class observer : public reader {
public:
    explicit observer(const text_arg &address) : reader(observing(address.view())) {}

private:
    static std::string observing(std::string_view address) {
        const char separator = address.find('?') == std::string_view::npos ? '?' : '&';
        return std::string(address) + separator + "observe=1";
    }
};

/* The latest message of a channel without opening a reader. Throws not_found_error: no such channel, or no message in
 * it yet. */
inline message latest(const text_arg &address) {
    weir_message *found;
    weir_error e;
    detail::check(weir_latest(address.c_str(), &found, &e), e);
    return message(found);
}

/* The channels this user can see: weir/directory.h says what stands in the list. */
inline document directory() {
    document list;
    weir_error e;
    detail::check(weir_directory_list(list.raw(), &e), e);
    return list;
}

/* Why one channel is as it is: weir/directory.h says what stands there. Throws not_found_error. */
inline document channel_info(const text_arg &address) {
    document found;
    weir_error e;
    detail::check(weir_channel_info(address.c_str(), found.raw(), &e), e);
    return found;
}

/* Take one channel away with its messages when nobody has it open; says what it was. Throws busy_error (it says who),
 * not_found_error, not_supported_error (a log or a pipe is a file). */
inline document channel_remove(const text_arg &address, bool is_dry_run = false) {
    document list;
    weir_error e;
    detail::check(weir_channel_remove(address.c_str(), list.raw(), is_dry_run, &e), e);
    return list;
}

/* Take away what the dead left; says what it was. */
inline document clean(bool is_dry_run = false) {
    document list;
    weir_error e;
    detail::check(weir_directory_clean(list.raw(), is_dry_run, &e), e);
    return list;
}

} // namespace weir

#endif
