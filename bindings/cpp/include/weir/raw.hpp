/* Structs as they lie in memory: types given as text, checked by the library, and read as a C++ struct of the same
 * layout.
 *
 *     struct reading { std::int64_t t; double accel[3]; float temp; };
 *     constexpr const char *type = "{t: i64, accel: f64[3], temp: f32}";
 *     w.send_struct(reading{...}, type);          const auto &seen = m.as_struct<reading>(type);
 *
 * The text says what lies where (docs/spec/raw.md), for readers in every language; that the struct has just this
 * layout, beyond its size, is the program's promise. */
#ifndef WEIR_RAW_HPP
#define WEIR_RAW_HPP

#include <weir/build.hpp>

namespace weir {

/* What can be read where it lies: no constructors, pointers or virtual functions of its own to be kept right. */
template <typename T>
concept raw_struct = std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T> && std::is_class_v<T> &&
                         alignof(T) <= 64 &&
                     std::endian::native == std::endian::little;

namespace detail {

/* @bytes of @type, which the library has checked, as structs. */
template <raw_struct T> std::span<const T> structs_of(weir_view bytes, std::string_view type) {
    if (bytes.size % sizeof(T) != 0 || reinterpret_cast<std::uintptr_t>(bytes.data) % alignof(T) != 0)
        throw type_error(std::to_string(bytes.size) + " bytes of " + std::string(type) + " are no structs of " +
                         std::to_string(sizeof(T)));
    return {reinterpret_cast<const T *>(bytes.data), bytes.size / sizeof(T)};
}

} // namespace detail

/* A parsed type: what lies where, and documents to bytes and back. */
class raw_type {
public:
    explicit raw_type(std::string_view text) {
        weir_type *made;
        weir_error e;
        detail::check(weir_type_new(text.data(), text.size(), &made, &e), e);
        handle_.reset(made);
    }
    /* The one canonical spelling. */
    std::string_view text() const noexcept { return detail::text_of(weir_type_text(handle_.get())); }
    /* sizeof the struct. */
    std::size_t size() const noexcept { return weir_type_size(handle_.get()); }
    /* Where a field lies, by its names joined by '.', as "p.x". Throws not_found_error. */
    std::size_t offset(const text_arg &path) const {
        const weir_field *field;
        std::uint64_t offset;
        if (weir_field_find(weir_type_whole(handle_.get()), path.c_str(), &field, &offset) != WEIR_OK)
            throw not_found_error("there is no field \"" + std::string(path.view()) + "\" in " + std::string(text()));
        return offset;
    }

    /* Read bytes of this type into @into; arrays of numbers are not copied, so bytes and type must outlive its use. */
    value decode(std::span<const std::byte> bytes, document &into) const {
        weir_error e;
        detail::check(weir_type_decode(into.raw(), handle_.get(), bytes.data(), bytes.size(), nullptr, &e), e);
        return into.root();
    }
    /* Append @v, a map with all fields, as bytes of this type. Floats are rounded to f32 where @may_round. */
    void encode(value v, buffer &out, bool may_round = false) const {
        weir_error e;
        detail::check(weir_type_encode(v.raw(), handle_.get(), may_round ? WEIR_ROUND : 0, out.raw(), &e), e);
    }
    const weir_type *raw() const noexcept { return handle_.get(); }

private:
    detail::handle<weir_type, weir_type_free> handle_;
};

} // namespace weir

#endif
