/* Values, read by path: message["accel.0"].as<double>().
 *
 * A weir::value is one pointer into a document and is borrowed from it; copying it copies the pointer. An empty value
 * stands for "nothing there" (a message without data). What is read as T must fit T exactly: nothing is rounded, cut or
 * guessed. */
#ifndef WEIR_VALUE_HPP
#define WEIR_VALUE_HPP

#include <charconv>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include <weir/array.hpp>

namespace weir {

class value {
public:
    constexpr value() noexcept = default;
    constexpr explicit value(const weir_value *raw) noexcept : raw_(raw) {}
    /* What the C functions take; NULL for nothing. */
    constexpr const weir_value *raw() const noexcept { return raw_; }

    /* Whether there is a value, which may be a null. */
    explicit operator bool() const noexcept { return raw_ != nullptr; }
    /* Whether there is nothing, or a null. */
    bool is_null() const noexcept { return !raw_ || kind() == weir::kind::null; }
    weir::kind kind() const noexcept { return static_cast<weir::kind>(weir_value_kind(raw_)); }
    /* "int64", "map", "f64[4,256]" */
    std::string type() const {
        char text[96];
        return raw_ ? weir_value_type(raw_, text, sizeof(text)) : "nothing";
    }
    /* Items of an array, pairs of a map, bytes of text or bytes, elements of an ndarray; 0 otherwise. */
    std::size_t size() const noexcept { return weir_value_count(raw_); }

    /* The value at a path: keys and 0-based indices joined by '.'; empty when there is none. */
    value find(const text_arg &path) const noexcept {
        const weir_value *found = nullptr;
        return raw_ && weir_get(raw_, path.c_str(), &found) == WEIR_OK ? value(found) : value();
    }
    bool contains(const text_arg &path) const noexcept { return static_cast<bool>(find(path)); }
    /* The same, but throws not_found_error. */
    value operator[](const text_arg &path) const {
        value found = find(path);
        if (!found)
            throw not_found_error("there is no value at \"" + std::string(path.view()) + "\" in " + type());
        return found;
    }
    template <std::integral I> value operator[](I index) const {
        char text[24];
        *std::to_chars(text, text + sizeof(text) - 1, index).ptr = 0;
        return (*this)[text_arg(static_cast<const char *>(text))];
    }

    /* The value as a T: bool, any integer or floating type, std::string_view (borrowed), std::string,
     * std::span<const std::byte> (borrowed), time_point, ndarray, array_view<T>, std::vector of any of these, or
     * std::optional (nothing for null). Throws type_error. */
    template <typename T> T as() const;
    /* The same at a path, or @fallback when nothing or null is there. Another type still throws. */
    template <typename T> T get(const text_arg &path, T fallback) const {
        value found = find(path);
        return found.is_null() ? fallback : found.template as<T>();
    }

    /* Walk the items of an array: for (weir::value item : v.items()). */
    class item_range;
    item_range items() const noexcept;
    /* Walk the pairs of a map in their order: for (auto [key, item] : v.pairs()). */
    class pair_range;
    pair_range pairs() const noexcept;

    /* The digits of an integer of any size. */
    std::string digits() const;

    /* Whether both are the same, kinds, order of keys and bits of floats included. */
    friend bool operator==(value a, value b) noexcept {
        return a.raw_ == b.raw_ || (a.raw_ && b.raw_ && weir_value_equal(a.raw_, b.raw_));
    }

private:
    const weir_value *raw_ = nullptr;
};

namespace detail {

/* Walks children; Item says what of each is handed out. */
template <typename Item> class walk {
public:
    class iterator {
    public:
        using value_type = Item;
        using difference_type = std::ptrdiff_t;

        iterator() noexcept : it_{}, is_over_(true) {}
        explicit iterator(const weir_value *container) noexcept { weir_iter_init(&it_, container), ++*this; }
        Item operator*() const noexcept {
            if constexpr (std::same_as<Item, value>)
                return value(it_.value);
            else
                return {value(it_.key), value(it_.value)};
        }
        iterator &operator++() noexcept {
            is_over_ = !weir_iter_next(&it_);
            return *this;
        }
        void operator++(int) noexcept { ++*this; }
        bool operator==(std::default_sentinel_t) const noexcept { return is_over_; }

    private:
        weir_iter it_;
        bool is_over_;
    };

    explicit walk(const weir_value *container) noexcept : container_(container) {}
    iterator begin() const noexcept { return iterator(container_); }
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    const weir_value *container_;
};

} // namespace detail

class value::item_range : public detail::walk<value> {
    using walk::walk;
};

class value::pair_range : public detail::walk<std::pair<value, value>> {
    using walk::walk;
};

inline value::item_range value::items() const noexcept {
    const bool is_array = kind() == weir::kind::array;
    return item_range(is_array ? raw_ : nullptr);
}

inline value::pair_range value::pairs() const noexcept {
    const bool is_map = kind() == weir::kind::map;
    return pair_range(is_map ? raw_ : nullptr);
}

namespace detail {

[[noreturn]] inline void mismatch(value v, std::string_view wanted) {
    throw type_error("the value is " + v.type() + ", you asked for " + std::string(wanted));
}

template <typename T> struct conversion; /* one specialisation for each family of types */

template <> struct conversion<value> {
    static value from(value v) noexcept { return v; }
};

template <> struct conversion<bool> {
    static bool from(value v) {
        int truth;
        if (weir_get_bool(v.raw(), nullptr, &truth) != WEIR_OK)
            mismatch(v, "bool");
        return truth != 0;
    }
};

template <element_type T>
requires std::integral<T>
struct conversion<T> {
    static T from(value v) {
        std::conditional_t<std::signed_integral<T>, std::int64_t, std::uint64_t> number;
        int status;
        if constexpr (std::signed_integral<T>)
            status = weir_get_i64(v.raw(), nullptr, &number);
        else
            status = weir_get_u64(v.raw(), nullptr, &number);
        if (status != WEIR_OK || !std::in_range<T>(number))
            mismatch(v, weir_element_name(static_cast<std::uint32_t>(element_of<T>())));
        return static_cast<T>(number);
    }
};

/* A float64 asked for as float is rounded: that is what asking for float says. */
template <std::floating_point T> struct conversion<T> {
    static T from(value v) {
        double number;
        if (weir_get_f64(v.raw(), nullptr, &number) != WEIR_OK)
            mismatch(v, "f64");
        return static_cast<T>(number);
    }
};

template <typename T>
requires std::same_as<T, std::string_view> || std::same_as<T, std::string>
struct conversion<T> {
    static T from(value v) {
        weir_view text;
        if (weir_get_text(v.raw(), nullptr, &text) != WEIR_OK)
            mismatch(v, "text");
        return T(text_of(text));
    }
};

template <> struct conversion<std::span<const std::byte>> {
    static std::span<const std::byte> from(value v) {
        weir_view bytes;
        if (weir_get_bytes(v.raw(), nullptr, &bytes) != WEIR_OK)
            mismatch(v, "bytes");
        return {reinterpret_cast<const std::byte *>(bytes.data), bytes.size};
    }
};

template <> struct conversion<time_point> {
    static time_point from(value v) {
        std::int64_t ns;
        if (weir_get_time(v.raw(), nullptr, &ns) != WEIR_OK)
            mismatch(v, "time");
        return time_point(std::chrono::nanoseconds(ns));
    }
};

template <> struct conversion<ndarray> {
    static ndarray from(value v) {
        weir_ndarray array;
        if (weir_get_ndarray(v.raw(), nullptr, &array) != WEIR_OK)
            mismatch(v, "an ndarray");
        return ndarray(array);
    }
};

/* An ndarray where it lies, of just this element type; nested arrays of numbers are converted into a copy. */
template <element_type T> struct conversion<array_view<T>> {
    static array_view<T> from(value v) {
        if (v.kind() != kind::array)
            return array_view<T>(conversion<ndarray>::from(v).raw());
        weir_ndarray target;
        weir_error e;
        if (weir_get_shape(v.raw(), nullptr, &target) != WEIR_OK)
            mismatch(v, "an ndarray");
        target.element = static_cast<std::uint32_t>(element_of<T>());
        target.big_endian = std::endian::native == std::endian::big && sizeof(T) > 1;
        target.size = weir_ndarray_count(&target) * sizeof(T);
        std::shared_ptr<T[]> copy(new T[target.size / sizeof(T) + 1]);
        check(weir_get_numbers(v.raw(), nullptr, &target, 0, copy.get(), &e), e);
        target.data = copy.get();
        return array_view<T>(target, std::move(copy));
    }
};

template <typename T> struct conversion<std::optional<T>> {
    static std::optional<T> from(value v) {
        return v.is_null() ? std::nullopt : std::optional<T>(conversion<T>::from(v));
    }
};

/* Of an array, or of an ndarray of one dimension with just these elements. */
template <typename T> struct conversion<std::vector<T>> {
    static std::vector<T> from(value v) {
        std::vector<T> items;
        if constexpr (element_type<T>)
            if (v.kind() == kind::ndarray) {
                array_view<T> view = conversion<array_view<T>>::from(v);
                if (view.rank() != 1)
                    mismatch(v, "a list");
                items.assign(view.begin(), view.end());
                return items;
            }
        if (v.kind() != kind::array)
            mismatch(v, "an array");
        items.reserve(v.size());
        for (value item : v.items())
            items.push_back(conversion<T>::from(item));
        return items;
    }
};

/* Of a map whose keys are texts: std::map, std::unordered_map. The first of repeated keys counts. */
template <typename M>
requires requires {
    typename M::mapped_type;
} && std::constructible_from<typename M::key_type, std::string_view>
struct conversion<M> {
    static M from(value v) {
        if (v.kind() != kind::map)
            mismatch(v, "a map");
        M items;
        for (auto [key, item] : v.pairs())
            items.emplace(typename M::key_type(conversion<std::string_view>::from(key)),
                          conversion<typename M::mapped_type>::from(item));
        return items;
    }
};

} // namespace detail

template <typename T> T value::as() const {
    return detail::conversion<T>::from(*this);
}

inline std::string value::digits() const {
    std::string text(24, '\0');
    std::size_t size = 0;
    int status = raw_ ? weir_get_digits(raw_, nullptr, text.data(), text.size(), &size) : WEIR_ENOENT;
    if (status == WEIR_ETOOBIG) {
        text.resize(size);
        status = weir_get_digits(raw_, nullptr, text.data(), text.size(), &size);
    }
    if (status != WEIR_OK)
        detail::mismatch(*this, "an integer");
    text.resize(std::strlen(text.c_str()));
    return text;
}

} // namespace weir

#endif
