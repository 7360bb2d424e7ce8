// Owning pointers for GObjects and GstMiniObjects. A raw pointer never becomes owned by accident: say adopt()
// (the caller's reference moves in) or ref() (a new reference is taken).
#pragma once

#include <gst/gst.h>

#include <memory>
#include <utility>

namespace hawser::elements {

template <typename T>
struct RefTraits {
    static void ref(T* object) { gst_object_ref(object); }
    static void unref(T* object) { gst_object_unref(object); }
};

template <typename T>
struct MiniObjectTraits {
    static void ref(T* object) { gst_mini_object_ref(GST_MINI_OBJECT_CAST(object)); }
    static void unref(T* object) { gst_mini_object_unref(GST_MINI_OBJECT_CAST(object)); }
};
template <>
struct RefTraits<GstBuffer> : MiniObjectTraits<GstBuffer> {};
template <>
struct RefTraits<GstCaps> : MiniObjectTraits<GstCaps> {};
template <>
struct RefTraits<GstEvent> : MiniObjectTraits<GstEvent> {};
template <>
struct RefTraits<GstQuery> : MiniObjectTraits<GstQuery> {};
template <>
struct RefTraits<GstMemory> : MiniObjectTraits<GstMemory> {};
template <>
struct RefTraits<GstTagList> : MiniObjectTraits<GstTagList> {};

template <typename T>
class Ptr {
  public:
    Ptr() = default;
    Ptr(std::nullptr_t) {}
    // Takes over the caller's reference.
    static Ptr adopt(T* object) { return Ptr(object); }
    // Takes a reference of its own.
    static Ptr ref(T* object) {
        if (object) RefTraits<T>::ref(object);
        return Ptr(object);
    }
    Ptr(const Ptr& other) : object_(other.object_) {
        if (object_) RefTraits<T>::ref(object_);
    }
    Ptr(Ptr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Ptr& operator=(Ptr other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ptr() {
        if (object_) RefTraits<T>::unref(object_);
    }

    T* get() const { return object_; }
    T* operator->() const { return object_; }
    explicit operator bool() const { return object_ != nullptr; }
    // The reference moves to the caller.
    [[nodiscard]] T* leak() { return std::exchange(object_, nullptr); }

  private:
    explicit Ptr(T* object) : object_(object) {}
    T* object_ = nullptr;
};

struct GFree {
    void operator()(void* memory) const { g_free(memory); }
};
// A string of GLib's.
using GText = std::unique_ptr<char, GFree>;

struct StructureFree {
    void operator()(GstStructure* structure) const { gst_structure_free(structure); }
};
using StructurePtr = std::unique_ptr<GstStructure, StructureFree>;

// Holds an object's lock (GST_OBJECT_LOCK) for a scope.
class ObjectLock {
  public:
    explicit ObjectLock(gpointer object) : object_(GST_OBJECT_CAST(object)) { GST_OBJECT_LOCK(object_); }
    ~ObjectLock() { GST_OBJECT_UNLOCK(object_); }
    ObjectLock(const ObjectLock&) = delete;
    ObjectLock& operator=(const ObjectLock&) = delete;

  private:
    GstObject* object_;
};

}  // namespace hawser::elements
