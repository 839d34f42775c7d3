/* Arrays of numbers: weir::ndarray says what lies where, weir::array_view<T> reads it as T.
 *
 * Both borrow their elements, and so live no longer than what they were got from. A view's data() is always aligned and
 * in the machine's byte order: an array that lies otherwise inside a document (raw data of a message never does) is
 * copied once, and the view keeps the copy. */
#ifndef WEIR_ARRAY_HPP
#define WEIR_ARRAY_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <span>
#include <vector>

#include <weir/error.hpp>

namespace weir {

namespace detail {

template <typename T, typename... Others> inline constexpr bool is_one_of = (std::same_as<T, Others> || ...);

} // namespace detail

/* The C++ types that are elements of an ndarray. Characters and bool are not numbers here. */
template <typename T>
concept element_type = (std::floating_point<T> && detail::is_one_of<T, float, double>) ||
                       (std::integral<T> && sizeof(T) <= 8 &&
                        !detail::is_one_of<T, bool, char, wchar_t, char8_t, char16_t, char32_t>);

/* Anything that keeps such elements one behind the other: std::vector, std::array, std::span, array_view. */
template <typename R>
concept array_like =
    std::ranges::contiguous_range<R> && std::ranges::sized_range<R> && element_type<std::ranges::range_value_t<R>>;

/* A shape given in place, as in {4, 256}. */
using extents = std::initializer_list<std::uint64_t>;

namespace detail {

template <element_type T> constexpr element element_of() noexcept {
    constexpr int size = std::countr_zero(sizeof(T));
    if constexpr (std::floating_point<T>)
        return size == 2 ? element::f32 : element::f64;
    else
        return static_cast<element>(static_cast<int>(std::signed_integral<T> ? element::i8 : element::u8) + size);
}

inline std::string type_text(const weir_ndarray &array) {
    std::string text = weir_element_name(array.element);
    for (std::uint32_t i = 0; i < array.rank; i++)
        text += (i ? "," : "[") + std::to_string(array.shape[i]);
    return array.rank ? text + "]" : text;
}

/* The number whose bytes stand at @bytes in the order that is not the machine's. */
template <typename T> T swapped(const std::byte *bytes) noexcept {
    std::array<std::byte, sizeof(T)> reversed;
    std::reverse_copy(bytes, bytes + sizeof(T), reversed.begin());
    return std::bit_cast<T>(reversed);
}

} // namespace detail

/* What an array is and where it lies. The elements are borrowed. */
class ndarray {
public:
    ndarray() noexcept : raw_{} {}
    explicit ndarray(const weir_ndarray &raw) noexcept : raw_(raw) {}

    weir::element element() const noexcept { return static_cast<weir::element>(raw_.element); }
    weir::order order() const noexcept { return static_cast<weir::order>(raw_.order); }
    bool is_big_endian() const noexcept { return raw_.big_endian != 0; }
    std::size_t rank() const noexcept { return raw_.rank; }
    /* In the order that numpy's and Fortran's shape print, whatever the order in memory. */
    std::span<const std::uint64_t> shape() const noexcept { return {raw_.shape, raw_.rank}; }
    std::size_t size() const noexcept { return weir_ndarray_count(&raw_); }
    std::span<const std::byte> bytes() const noexcept { return {static_cast<const std::byte *>(raw_.data), raw_.size}; }
    /* "f64[4,256]" */
    std::string type() const { return detail::type_text(raw_); }
    const weir_ndarray &raw() const noexcept { return raw_; }

private:
    weir_ndarray raw_;
};

/* Elements of type T with a shape: a(i, j) by index, or one after the other as they lie. */
template <element_type T> class array_view {
public:
    using value_type = T;

    array_view() noexcept : raw_{} {}

    /* Throws type_error when the elements are not T. */
    explicit array_view(const weir_ndarray &raw) : raw_(raw) {
        if (raw.element != static_cast<std::uint32_t>(detail::element_of<T>()))
            throw type_error("the array is " + detail::type_text(raw) + ", you asked for " +
                             weir_element_name(static_cast<std::uint32_t>(detail::element_of<T>())));
        const bool is_native = (raw.big_endian != 0) == (std::endian::native == std::endian::big) || sizeof(T) == 1;
        if (!is_native || reinterpret_cast<std::uintptr_t>(raw.data) % alignof(T) != 0)
            adopt(is_native);
    }

    /* Of elements that @copy keeps. */
    array_view(const weir_ndarray &raw, std::shared_ptr<const T[]> copy) noexcept : raw_(raw), copy_(std::move(copy)) {}

    const T *data() const noexcept { return static_cast<const T *>(raw_.data); }
    std::size_t size() const noexcept { return raw_.size / sizeof(T); }
    bool empty() const noexcept { return size() == 0; }
    std::span<const T> span() const noexcept { return {data(), size()}; }
    const T *begin() const noexcept { return data(); }
    const T *end() const noexcept { return data() + size(); }
    const T &operator[](std::size_t index) const noexcept { return data()[index]; }

    std::size_t rank() const noexcept { return raw_.rank; }
    std::span<const std::uint64_t> shape() const noexcept { return {raw_.shape, raw_.rank}; }
    weir::order order() const noexcept { return static_cast<weir::order>(raw_.order); }
    /* Whether the view had to copy, because the elements lie unaligned, in the other byte order, or in lists. */
    bool is_copy() const noexcept { return copy_ != nullptr; }
    ndarray array() const noexcept { return ndarray(raw_); }

    /* The element at these indices, as many as there are dimensions, from 0. Not checked. */
    template <std::integral... I> const T &operator()(I... index) const noexcept {
        return data()[offset({static_cast<std::uint64_t>(index)...})];
    }

    /* As operator(), but throws invalid_error when there is no such element. */
    template <std::integral... I> const T &at(I... index) const {
        const std::array<std::uint64_t, sizeof...(I)> wanted{static_cast<std::uint64_t>(index)...};
        bool is_inside = wanted.size() == raw_.rank;
        for (std::size_t i = 0; is_inside && i < wanted.size(); i++)
            is_inside = wanted[i] < raw_.shape[i];
        if (!is_inside)
            throw invalid_error("no such element in " + detail::type_text(raw_));
        return (*this)(index...);
    }

private:
    std::size_t offset(std::initializer_list<std::uint64_t> index) const noexcept {
        const std::uint64_t *at = index.begin();
        std::size_t place = 0;
        if (raw_.order == WEIR_ROW)
            for (std::size_t i = 0; i < index.size(); i++)
                place = place * raw_.shape[i] + at[i];
        else
            for (std::size_t i = index.size(); i-- > 0;)
                place = place * raw_.shape[i] + at[i];
        return place;
    }

    void adopt(bool is_native) {
        const auto *bytes = static_cast<const std::byte *>(raw_.data);
        const std::size_t count = raw_.size / sizeof(T);
        std::shared_ptr<T[]> copy(new T[count ? count : 1]);
        if (is_native && raw_.size)
            std::memcpy(copy.get(), bytes, raw_.size);
        for (std::size_t i = 0; !is_native && i < count; i++)
            copy[i] = detail::swapped<T>(bytes + i * sizeof(T));
        raw_.data = copy.get();
        raw_.big_endian = std::endian::native == std::endian::big;
        copy_ = std::move(copy);
    }

    weir_ndarray raw_;
    std::shared_ptr<const T[]> copy_;
};

namespace detail {

template <typename T> inline constexpr bool is_array_view = false;
template <typename T> inline constexpr bool is_array_view<array_view<T>> = true;

template <typename R> ndarray flat_array(const R &range) noexcept {
    using T = std::remove_cv_t<std::ranges::range_value_t<R>>;
    weir_ndarray raw{};
    raw.element = static_cast<std::uint32_t>(element_of<T>());
    raw.big_endian = std::endian::native == std::endian::big;
    raw.rank = 1;
    raw.shape[0] = std::ranges::size(range);
    raw.data = std::ranges::data(range);
    raw.size = raw.shape[0] * sizeof(T);
    return ndarray(raw);
}

} // namespace detail

/* A vector, span or the like as an ndarray: of one dimension, or an array_view's own. */
template <array_like R> ndarray as_array(const R &range) noexcept {
    if constexpr (detail::is_array_view<R>)
        return range.array();
    else
        return detail::flat_array(range);
}

/* The same with a shape, as in as_array(samples, {4, 256}). Throws invalid_error when it has another number of
 * elements. */
template <array_like R>
ndarray as_array(const R &range, std::span<const std::uint64_t> shape, order layout = order::row) {
    weir_ndarray raw = detail::flat_array(range).raw();
    const std::uint64_t count = raw.shape[0];
    if (shape.size() > WEIR_RANK_MAX)
        throw invalid_error("an array has at most " + std::to_string(int{WEIR_RANK_MAX}) + " dimensions");
    raw.rank = static_cast<std::uint32_t>(shape.size());
    raw.order = static_cast<std::uint32_t>(layout);
    std::ranges::copy(shape, raw.shape);
    if (weir_ndarray_count(&raw) != count)
        throw invalid_error(std::to_string(count) + " elements cannot be " + detail::type_text(raw));
    return ndarray(raw);
}

template <array_like R> ndarray as_array(const R &range, extents shape, order layout = order::row) {
    return as_array(range, std::span(shape.begin(), shape.size()), layout);
}

} // namespace weir

#endif
