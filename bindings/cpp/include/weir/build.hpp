/* Documents, and building them from C++ values.
 *
 *     weir::map{{"temp", 21.5}, {"unit", "C"}, {"pos", weir::list(1, 2, 3)}}      simple
 *     weir::builder b;  b.begin_map().key("temp").put(21.5).end();  b.finish()    in a loop: clear() keeps the memory
 *
 * What can be put: nullptr, bool, integers, floats, anything that is a std::string_view (text), spans of std::byte
 * (bytes), time_point, ndarray and contiguous ranges of numbers (one ndarray), other ranges (arrays), maps keyed by
 * text, std::optional, values and documents. */
#ifndef WEIR_BUILD_HPP
#define WEIR_BUILD_HPP

#include <weir/value.hpp>

namespace weir {

namespace detail {

/* Closes what the library opened: Close is its _close or _free. */
template <auto Close> struct closer {
    template <typename T> void operator()(T *object) const noexcept { Close(object); }
};
template <typename T, auto Close> using handle = std::unique_ptr<T, closer<Close>>;

} // namespace detail

/* Bytes that grow: where encoders write. */
class buffer {
public:
    buffer() {
        weir_buffer *made;
        detail::check(weir_buffer_new(&made));
        handle_.reset(made);
    }
    void clear() noexcept { weir_buffer_clear(handle_.get()); }
    /* Borrowed until the buffer is next written, cleared or destroyed. */
    std::string_view view() const noexcept { return detail::text_of(weir_buffer_view(handle_.get())); }
    weir_buffer *raw() noexcept { return handle_.get(); }

private:
    detail::handle<weir_buffer, weir_buffer_free> handle_;
};

/* A tree of values and the memory they live in. */
class document {
public:
    document() {
        weir_doc *made;
        detail::check(weir_doc_new(&made));
        handle_.reset(made);
    }
    /* A copy that owns everything. */
    explicit document(value v) : document() {
        if (v)
            detail::check(weir_doc_copy(raw(), v.raw()));
    }

    value root() const noexcept { return handle_ ? value(weir_doc_root(handle_.get())) : value(); }
    operator value() const noexcept { return root(); }
    value operator[](const text_arg &path) const { return root()[path]; }
    template <typename T> T as() const { return root().as<T>(); }
    template <typename T> T get(const text_arg &path, T fallback) const {
        return root().get<T>(path, std::move(fallback));
    }
    /* Forget the values, keep the memory. */
    void clear() noexcept { weir_doc_clear(handle_.get()); }
    weir_doc *raw() const noexcept { return handle_.get(); }

private:
    detail::handle<weir_doc, weir_doc_free> handle_;
};

namespace detail {

template <typename T>
concept text_like = std::convertible_to<const T &, std::string_view> && !std::same_as<T, std::nullptr_t>;
template <typename T>
concept bytes_like = std::ranges::contiguous_range<const T> && std::ranges::sized_range<const T> &&
    std::same_as<std::ranges::range_value_t<const T>, std::byte>;
template <typename T>
concept map_like = std::ranges::input_range<const T> && requires {
    typename T::mapped_type;
};
template <typename T> inline constexpr bool is_optional = false;
template <typename T> inline constexpr bool is_optional<std::optional<T>> = true;

} // namespace detail

/* Builds one document, value by value. A failure sticks: finish() throws it. */
class builder {
public:
    builder &begin_map() noexcept { return weir_begin_map(doc_.raw()), *this; }
    builder &begin_array() noexcept { return weir_begin_array(doc_.raw()), *this; }
    /* End the container begun last. */
    builder &end() noexcept { return weir_end(doc_.raw()), *this; }
    /* The key of the value put next. */
    builder &key(std::string_view text) noexcept { return weir_put_text(doc_.raw(), text.data(), text.size()), *this; }
    builder &put_digits(std::string_view digits) noexcept {
        return weir_put_bigint(doc_.raw(), digits.data(), digits.size()), *this;
    }
    template <typename T> builder &put(const T &item);
    /* As put, but texts, bytes and arrays at the top are borrowed for as long as the document is used. */
    template <typename T> builder &refer(const T &item);

    /* Close the document. The value lives until clear() or the builder's end. */
    value finish() {
        const weir_value *root;
        weir_error e;
        detail::check(weir_doc_finish(doc_.raw(), &root, &e), e);
        return value(root);
    }
    void clear() noexcept { doc_.clear(); }
    /* Take the finished document out; the builder is not used again. */
    document take() && {
        finish();
        return std::move(doc_);
    }

private:
    template <typename T> void put_scalar(T item) noexcept;
    template <typename R> void put_range(const R &range);

    document doc_;
};

template <typename T> void builder::put_scalar(T item) noexcept {
    weir_doc *doc = doc_.raw();
    if constexpr (std::same_as<T, bool>)
        weir_put_bool(doc, item);
    else if constexpr (std::same_as<T, float>)
        weir_put_f32(doc, item);
    else if constexpr (std::floating_point<T>)
        weir_put_f64(doc, static_cast<double>(item));
    else if constexpr (std::signed_integral<T>)
        weir_put_i64(doc, item);
    else
        weir_put_u64(doc, item);
}

template <typename R> void builder::put_range(const R &range) {
    if constexpr (detail::map_like<R>) {
        begin_map();
        for (const auto &[name, item] : range)
            key(name).put(item);
    } else {
        begin_array();
        for (const auto &item : range)
            put(static_cast<const std::ranges::range_value_t<R> &>(item));
    }
    end();
}

template <typename T> builder &builder::put(const T &item) {
    weir_doc *doc = doc_.raw();
    if constexpr (std::same_as<T, std::nullptr_t>) {
        weir_put_null(doc);
    } else if constexpr (std::convertible_to<const T &, value>) {
        value inner = item;
        inner ? weir_put_value(doc, inner.raw()) : weir_put_null(doc);
    } else if constexpr (std::same_as<T, bool> || element_type<T> || std::floating_point<T>) {
        put_scalar(item);
    } else if constexpr (detail::text_like<T>) {
        std::string_view text = item;
        weir_put_text(doc, text.data(), text.size());
    } else if constexpr (detail::bytes_like<T>) {
        weir_put_bytes(doc, std::ranges::data(item), std::ranges::size(item));
    } else if constexpr (std::convertible_to<const T &, time_point>) {
        weir_put_time(doc, time_point(item).time_since_epoch().count());
    } else if constexpr (std::same_as<T, ndarray>) {
        weir_put_ndarray(doc, &item.raw());
    } else if constexpr (array_like<const T>) {
        weir_put_ndarray(doc, &as_array(item).raw());
    } else if constexpr (detail::is_optional<T>) {
        item ? (void)put(*item) : weir_put_null(doc);
    } else {
        static_assert(std::ranges::input_range<const T>, "weir has no value for this type: weir/build.hpp lists them");
        put_range(item);
    }
    return *this;
}

template <typename T> builder &builder::refer(const T &item) {
    weir_doc *doc = doc_.raw();
    if constexpr (std::convertible_to<const T &, value>) {
        return put(item);
    } else if constexpr (detail::text_like<T>) {
        std::string_view text = item;
        weir_refer_text(doc, text.data(), text.size());
    } else if constexpr (detail::bytes_like<T>) {
        weir_refer_bytes(doc, std::ranges::data(item), std::ranges::size(item));
    } else if constexpr (std::same_as<T, ndarray>) {
        weir_refer_ndarray(doc, &item.raw());
    } else if constexpr (array_like<const T>) {
        weir_refer_ndarray(doc, &as_array(item).raw());
    } else {
        return put(item);
    }
    return *this;
}

/* What stands behind a key in weir::map{...}: a reference to the value and the way to put it. Lives for one
 * expression. */
class item {
public:
    template <typename T>
    requires(!std::same_as<T, item>) item(const T &source)
    noexcept : source_(&source), put_([](builder &b, const void *p) { b.put(*static_cast<const T *>(p)); }) {}
    template <std::size_t N>
    item(const char (&text)[N]) noexcept
        : source_(text),
          put_([](builder &b, const void *p) { b.put(std::string_view(static_cast<const char *>(p))); }) {}
    void put(builder &b) const { put_(b, source_); }

private:
    const void *source_;
    void (*put_)(builder &, const void *);
};

struct entry {
    std::string_view key;
    item content;
};

/* A map built in place: weir::map{{"x", 1}, {"y", 2.5}}. */
class map : public document {
public:
    map(std::initializer_list<entry> entries) : document(build(entries)) {}

private:
    static document build(std::initializer_list<entry> entries) {
        builder b;
        b.begin_map();
        for (const entry &e : entries)
            e.content.put(b.key(e.key));
        b.end();
        return std::move(b).take();
    }
};

/* An array of values built in place: weir::list(1, "two", weir::map{{"three", 3}}). */
template <typename... T> document list(const T &...items) {
    builder b;
    b.begin_array();
    (item(items).put(b), ...);
    b.end();
    return std::move(b).take();
}

/* One value as a document. */
template <typename T> document make(const T &source) {
    builder b;
    b.put(source);
    return std::move(b).take();
}

/* Decode a document. It owns its values: the bytes may go. Throws parse_error with the offset, limit_error. */
inline document decode(codec from, std::span<const std::byte> bytes) {
    document decoded, owned;
    weir_error e;
    detail::check(weir_decode(decoded.raw(), static_cast<int>(from), bytes.data(), bytes.size(), nullptr, nullptr, &e),
                  e);
    detail::check(weir_doc_copy(owned.raw(), decoded.root().raw()));
    return owned;
}

inline document decode(codec from, std::string_view bytes) {
    return decode(from, std::as_bytes(std::span(bytes)));
}

/* "cbor", and back; throws invalid_error with the names there are. */
inline std::string_view codec_name(codec which) noexcept {
    return weir_codec_name(static_cast<int>(which));
}
inline codec codec_of(const text_arg &name) {
    int found;
    weir_error e;
    detail::check(weir_codec_find(name.c_str(), &found, &e), e);
    return static_cast<codec>(found);
}

/* Or flags together: codec_flags::plain | codec_flags::pretty. */
constexpr codec_flags operator|(codec_flags a, codec_flags b) noexcept {
    return static_cast<codec_flags>(static_cast<int>(a) | static_cast<int>(b));
}

/* Encode a value, appended to @out. */
inline void encode(value v, codec to, buffer &out, codec_flags flags = codec_flags{}) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = static_cast<std::uint32_t>(flags);
    weir_error e;
    detail::check(weir_encode(v.raw(), static_cast<int>(to), &options, out.raw(), &e), e);
}

inline std::string encode(value v, codec to, codec_flags flags = codec_flags{}) {
    buffer out;
    encode(v, to, out, flags);
    return std::string(out.view());
}

/* Bytes of one codec as bytes of another. */
inline std::string convert(codec from, codec to, std::string_view bytes, codec_flags flags = codec_flags{}) {
    return encode(decode(from, bytes), to, flags);
}

} // namespace weir

#endif
