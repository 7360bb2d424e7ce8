// Little-endian integers and strings in the data of a meta.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace hawser::elements {

class Packer {
  public:
    explicit Packer(std::string& into) : into_(into) {}
    template <typename Int>
    Packer& integer(std::type_identity_t<Int> value) {
        auto bits = static_cast<std::make_unsigned_t<Int>>(value);
        for (std::size_t i = 0; i < sizeof(Int); ++i) {
            into_.push_back(static_cast<char>(bits & 0xff));
            if constexpr (sizeof(Int) > 1) bits >>= 8;
        }
        return *this;
    }
    Packer& u32(std::uint32_t value) { return integer<std::uint32_t>(value); }
    Packer& i32(std::int32_t value) { return integer<std::int32_t>(value); }
    Packer& u64(std::uint64_t value) { return integer<std::uint64_t>(value); }
    Packer& string(std::string_view text) {
        u32(static_cast<std::uint32_t>(text.size()));
        into_.append(text);
        return *this;
    }

  private:
    std::string& into_;
};

// Reads zeros and empty strings past the end, which ok() then tells.
class Unpacker {
  public:
    explicit Unpacker(std::string_view from) : from_(from) {}
    template <typename Int>
    Int integer() {
        if (from_.size() < sizeof(Int)) {
            ok_ = false;
            return {};
        }
        std::make_unsigned_t<Int> bits = 0;
        for (std::size_t i = 0; i < sizeof(Int); ++i)
            bits = static_cast<std::make_unsigned_t<Int>>(
                bits | static_cast<std::make_unsigned_t<Int>>(static_cast<unsigned char>(from_[i]))
                           << (8 * i));
        from_.remove_prefix(sizeof(Int));
        return static_cast<Int>(bits);
    }
    std::uint32_t u32() { return integer<std::uint32_t>(); }
    std::int32_t i32() { return integer<std::int32_t>(); }
    std::uint64_t u64() { return integer<std::uint64_t>(); }
    std::string string() {
        const std::uint32_t size = u32();
        if (size > from_.size()) {
            ok_ = false;
            return {};
        }
        std::string text(from_.substr(0, size));
        from_.remove_prefix(size);
        // What comes next expects C strings.
        if (text.find('\0') != std::string::npos) ok_ = false;
        return text;
    }
    bool ok() const { return ok_; }
    // Read whole, and nothing left.
    bool complete() const { return ok_ && from_.empty(); }

  private:
    std::string_view from_;
    bool ok_ = true;
};

}  // namespace hawser::elements
