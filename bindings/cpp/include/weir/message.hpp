/* Messages. A weir::message_ref is what a reader, client or server hands out: a pointer, borrowed with every value,
 * view and array got from it until that end's next call. A weir::message owns a copy and can be kept. */
#ifndef WEIR_MESSAGE_HPP
#define WEIR_MESSAGE_HPP

#include <weir/raw.hpp>

namespace weir {

class message;

class message_ref {
public:
    explicit message_ref(weir_message *raw) noexcept : raw_(raw) {}

    /* What this is or asks for; empty when the writer gave none. */
    std::string_view op() const noexcept { return detail::text_of(weir_message_op(raw_)); }
    /* The writer's count of its messages, from 1. */
    std::uint64_t seq() const noexcept { return weir_message_seq(raw_); }
    /* When it was sent; the epoch when the writer did not stamp it. */
    time_point time() const noexcept { return time_point(std::chrono::nanoseconds(weir_message_time(raw_))); }
    std::chrono::nanoseconds age() const noexcept {
        return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()) - time();
    }
    /* The call it belongs to; 0 outside calls. */
    std::uint64_t id() const noexcept { return weir_message_id(raw_); }
    /* Which of the channel's writers sent it. */
    std::uint32_t writer() const noexcept { return weir_message_writer(raw_); }
    /* Messages of that writer that this reader missed just before this one. */
    std::uint64_t gap() const noexcept { return weir_message_gap(raw_); }

    /* The data as the writer encoded it, in which codec, and for raw data its type, as "f64[4,256]". */
    std::span<const std::byte> bytes() const noexcept {
        weir_view view = weir_message_bytes(raw_);
        return {reinterpret_cast<const std::byte *>(view.data), view.size};
    }
    weir::codec codec() const noexcept { return static_cast<weir::codec>(weir_message_codec(raw_)); }
    std::string_view type() const noexcept { return detail::text_of(weir_message_type(raw_)); }

    /* The metadata, a map, and the data; empty when there is none. Decoded when first asked for. */
    value meta() const {
        const weir_value *found = nullptr;
        weir_error e;
        detail::check(weir_message_meta(raw_, &found, &e), e);
        return value(found);
    }
    value data() const {
        const weir_value *found = nullptr;
        weir_error e;
        detail::check(weir_message_data(raw_, &found, &e), e);
        return value(found);
    }
    template <typename T> T as() const { return data().template as<T>(); }
    value operator[](const text_arg &path) const { return data()[path]; }
    template <typename T> T get(const text_arg &path, T fallback) const {
        return data().template get<T>(path, std::move(fallback));
    }

    /* The data when it is an ndarray, where it lies. Throws type_error. */
    ndarray array() const {
        weir_ndarray found;
        weir_error e;
        detail::check(weir_message_ndarray(raw_, &found, &e), e);
        return ndarray(found);
    }
    /* The same as T; nested arrays of numbers, which other codecs hold, are converted into a copy when all fit. */
    template <element_type T> array_view<T> array() const {
        return codec() == weir::codec::raw ? array_view<T>(array().raw()) : data().template as<array_view<T>>();
    }

    /* Raw data where it lies, as the struct of @type. Throws type_error, with a sentence that shows both types and who
     * writes, when the writer sends another. as_structs: of an array of structs, as "{x: f32, y: f32}[100]". */
    template <raw_struct T> std::span<const T> as_structs(const text_arg &type) const {
        weir_view found;
        weir_error e;
        detail::check(weir_message_raw(raw_, type.c_str(), &found, &e), e);
        return detail::structs_of<T>(found, type.view());
    }
    template <raw_struct T> const T &as_struct(const text_arg &type) const {
        std::span<const T> found = as_structs<T>(type);
        if (found.size() != 1)
            throw type_error(std::string(type.view()) + " is not one struct of " + std::to_string(sizeof(T)) +
                             " bytes");
        return found.front();
    }

    /* The message as one JSON object, the plain form for people and web pages. */
    void json(buffer &out) const {
        weir_error e;
        detail::check(weir_message_json(raw_, out.raw(), &e), e);
    }
    std::string json() const {
        buffer out;
        json(out);
        return std::string(out.view());
    }

    /* A copy that owns everything. */
    message copy() const;
    weir_message *raw() const noexcept { return raw_; }

protected:
    weir_message *raw_;
};

class message : public message_ref {
public:
    /* Takes over what weir_message_copy or weir_latest gave. */
    explicit message(weir_message *owned) noexcept : message_ref(owned) {}
    explicit message(const message_ref &other) : message_ref(nullptr) {
        detail::check(weir_message_copy(other.raw(), &raw_));
    }
    message(message &&other) noexcept : message_ref(std::exchange(other.raw_, nullptr)) {}
    message &operator=(message &&other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    ~message() { weir_message_free(raw_); }
};

inline message message_ref::copy() const {
    return message(*this);
}

} // namespace weir

#endif
