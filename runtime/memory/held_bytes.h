// Memory that someone else owns, held for as long as it is needed.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

namespace hawser::memory {

// Bytes with an owner to be told when they are no longer needed (`release`, on whatever thread drops them
// last). Move-only; empty by default. In elements/ the owner is a mapped GstBuffer.
class HeldBytes {
  public:
    using Release = void (*)(void* owner);

    HeldBytes() = default;
    HeldBytes(std::span<std::byte> bytes, void* owner, Release release)
        : bytes_(bytes), owner_(owner), release_(release) {}
    HeldBytes(HeldBytes&& other) noexcept
        : bytes_(std::exchange(other.bytes_, {})),
          owner_(std::exchange(other.owner_, nullptr)),
          release_(std::exchange(other.release_, nullptr)) {}
    HeldBytes& operator=(HeldBytes&& other) noexcept {
        if (this != &other) {
            reset();
            bytes_ = std::exchange(other.bytes_, {});
            owner_ = std::exchange(other.owner_, nullptr);
            release_ = std::exchange(other.release_, nullptr);
        }
        return *this;
    }
    ~HeldBytes() { reset(); }

    explicit operator bool() const { return release_ != nullptr; }
    std::span<std::byte> bytes() const { return bytes_; }
    // The owner, which the caller now has to release himself; this becomes empty.
    void* take() {
        release_ = nullptr;
        bytes_ = {};
        return std::exchange(owner_, nullptr);
    }
    void reset() {
        if (release_) std::exchange(release_, nullptr)(std::exchange(owner_, nullptr));
        bytes_ = {};
    }

  private:
    std::span<std::byte> bytes_;
    void* owner_ = nullptr;
    Release release_ = nullptr;
};

}  // namespace hawser::memory
