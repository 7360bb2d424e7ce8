#include "elements/receive_pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace hawser::elements {
namespace {

constexpr std::size_t kAlignment = 64;  // a cache line, and what vector code likes for frames
// Sizes are rounded up to one of four in each octave, from the first on.
constexpr unsigned kFirstBits = 8;
constexpr unsigned kLastBits = 40;
constexpr std::size_t kClasses = (kLastBits - kFirstBits) * 4;

constexpr unsigned class_of(std::size_t size) {
    if (size <= std::size_t{1} << kFirstBits) return 0;
    const unsigned octave = static_cast<unsigned>(std::bit_width(size - 1)) - 1;
    const std::size_t quarter = (size - 1 - (std::size_t{1} << octave)) >> (octave - 2);
    return (octave - kFirstBits) * 4 + static_cast<unsigned>(quarter) + 1;
}

constexpr std::size_t class_size(unsigned index) {
    if (index == 0) return std::size_t{1} << kFirstBits;
    const unsigned octave = (index - 1) / 4 + kFirstBits;
    return (std::size_t{1} << octave) + ((std::size_t{(index - 1) % 4} + 1) << (octave - 2));
}
static_assert(class_of(256) == 0 && class_size(0) == 256);
static_assert(class_of(257) == 1 && class_size(1) == 320 && class_of(320) == 1 && class_of(321) == 2);
static_assert(class_of(512) == 4 && class_size(4) == 512 && class_of(513) == 5 && class_size(5) == 640);

}  // namespace

// One memory of a pool's: this, and behind it the payload. Or a part of one, as gst_memory_share() makes.
struct ReceiveMemory {
    GstMemory memory;
    std::byte* data;
    // None of a part:
    ReceivePool::Core* pool;
    GstBuffer* buffer;    // with which it was made
    ReceiveMemory* next;  // while it waits for use
    unsigned size_class;
    // As it is in its buffer, which nobody else has touched:
    gint lock_state;
    guint flags, buffer_private, memory_private;
};

// Lives as long as one of the pool's memories does, or the pool.
struct ReceivePool::Core {
    explicit Core(std::size_t max) : max_bytes(max) {}

    // A stack of memories that wait for use: the address of the first, and above it how many there are. Any
    // thread pushes, one at a time pops: so what it has seen on top cannot go and come back in between.
    static constexpr unsigned kCountShift = 48;
    static constexpr std::uint64_t kAddress = (std::uint64_t{1} << kCountShift) - 1;
    static constexpr std::uint64_t kMostCount = 0xffff;
    static constexpr std::uint64_t kClosed = 1;  // no address, and no more pushes
    struct alignas(kAlignment) Stack {
        std::atomic<std::uint64_t> top{0};
    };

    static ReceiveMemory* memory_at(std::uint64_t top) {
        return reinterpret_cast<ReceiveMemory*>(top & kAddress);
    }

    bool push(ReceiveMemory* memory) {
        std::atomic<std::uint64_t>& top = idle[memory->size_class].top;
        std::uint64_t seen = top.load(std::memory_order_relaxed);
        std::uint64_t count = 0;
        do {
            count = seen >> kCountShift;
            if (seen == kClosed || count == kMostCount) return false;
            memory->next = memory_at(seen);
        } while (!top.compare_exchange_weak(
            seen, (count + 1) << kCountShift | reinterpret_cast<std::uint64_t>(memory),
            std::memory_order_release, std::memory_order_relaxed));
        return true;
    }
    ReceiveMemory* pop(unsigned size_class) {
        std::atomic<std::uint64_t>& top = idle[size_class].top;
        std::uint64_t seen = top.load(std::memory_order_acquire);
        while (seen != 0) {
            ReceiveMemory* memory = memory_at(seen);
            const std::uint64_t rest =
                ((seen >> kCountShift) - 1) << kCountShift | reinterpret_cast<std::uint64_t>(memory->next);
            if (top.compare_exchange_weak(seen, rest, std::memory_order_acquire)) return memory;
        }
        return nullptr;
    }
    // Gives idle memory of other sizes back, until there is room for `size` bytes.
    void trim(std::size_t size);
    void release() {
        if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    const std::size_t max_bytes;
    std::atomic<std::size_t> references{1};  // the pool's, and one of each memory
    std::atomic<std::size_t> bytes{0};       // of all memories
    std::array<Stack, kClasses> idle;
};

namespace {

void free_buffer(GstBuffer* buffer) {
    GST_MINI_OBJECT_CAST(buffer)->dispose = nullptr;
    gst_buffer_unref(buffer);
}

}  // namespace

void ReceivePool::Core::trim(std::size_t size) {
    for (unsigned index = kClasses; index-- > 0;) {
        while (bytes.load(std::memory_order_relaxed) + size > max_bytes) {
            ReceiveMemory* memory = pop(index);
            if (!memory) break;
            free_buffer(memory->buffer);
        }
    }
}

}  // namespace hawser::elements

using hawser::elements::ReceiveMemory;

// Of the memories: what GStreamer does with them. One for the process; memory is made by the pools alone.
#define HAWSER_TYPE_RECEIVE_ALLOCATOR (hawser_receive_allocator_get_type())
G_DECLARE_FINAL_TYPE(HawserReceiveAllocator, hawser_receive_allocator, HAWSER, RECEIVE_ALLOCATOR,
                     GstAllocator)

struct _HawserReceiveAllocator {
    GstAllocator parent;
};

G_DEFINE_FINAL_TYPE(HawserReceiveAllocator, hawser_receive_allocator, GST_TYPE_ALLOCATOR)

namespace {

ReceiveMemory* cast(GstMemory* memory) {
    return reinterpret_cast<ReceiveMemory*>(memory);
}

gpointer hawser_receive_map(GstMemory* memory, gsize, GstMapFlags) {
    return cast(memory)->data;
}

void hawser_receive_unmap(GstMemory*) {}

GstMemory* hawser_receive_share(GstMemory* memory, gssize offset, gssize size) {
    GstMemory* whole = memory->parent ? memory->parent : memory;
    const gsize length = size == -1 ? memory->size - static_cast<gsize>(offset) : static_cast<gsize>(size);
    auto* part = g_new0(ReceiveMemory, 1);
    gst_memory_init(
        &part->memory,
        static_cast<GstMemoryFlags>(GST_MINI_OBJECT_FLAGS(whole) | GST_MINI_OBJECT_FLAG_LOCK_READONLY),
        memory->allocator, whole, memory->maxsize, memory->align, memory->offset + static_cast<gsize>(offset),
        length);
    part->data = cast(memory)->data;
    return &part->memory;
}

gboolean hawser_receive_is_span(GstMemory* first, GstMemory* second, gsize* offset) {
    if (offset) *offset = first->offset - first->parent->offset;
    return cast(first)->data + first->offset + first->size == cast(second)->data + second->offset;
}

void hawser_receive_free(GstAllocator*, GstMemory* memory) {
    if (memory->parent) {
        g_free(memory);
        return;
    }
    hawser::elements::ReceivePool::Core* pool = cast(memory)->pool;
    const std::size_t size = memory->maxsize;
    std::free(memory);
    pool->bytes.fetch_sub(size, std::memory_order_relaxed);
    pool->release();
}

}  // namespace

static void hawser_receive_allocator_class_init(HawserReceiveAllocatorClass* klass) {
    GST_ALLOCATOR_CLASS(klass)->alloc = nullptr;
    GST_ALLOCATOR_CLASS(klass)->free = hawser_receive_free;
}

static void hawser_receive_allocator_init(HawserReceiveAllocator* self) {
    GstAllocator* allocator = GST_ALLOCATOR(self);
    allocator->mem_type = "HawserReceived";
    allocator->mem_map = hawser_receive_map;
    allocator->mem_unmap = hawser_receive_unmap;
    allocator->mem_share = hawser_receive_share;
    allocator->mem_is_span = hawser_receive_is_span;
    GST_OBJECT_FLAG_SET(self, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
}

namespace hawser::elements {
namespace {

GstAllocator* allocator() {
    static GstAllocator* const one = [] {
        auto* made = GST_ALLOCATOR(g_object_new(hawser_receive_allocator_get_type(), nullptr));
        gst_object_ref_sink(made);
        GST_OBJECT_FLAG_SET(made, GST_OBJECT_FLAG_MAY_BE_LEAKED);
        return made;
    }();
    return one;
}

// Whether a buffer that nobody holds any more is as it was made, but for what is easily undone.
bool reusable(GstBuffer* buffer, ReceiveMemory* memory) {
    GstMiniObject* object = GST_MINI_OBJECT_CAST(buffer);
    // Qdata, and parents of the buffer's.
    if (object->priv_uint != memory->buffer_private || object->priv_pointer || buffer->pool) return false;
    const GstMiniObject& held = memory->memory.mini_object;
    if (memory->buffer != buffer || memory->memory.parent || g_atomic_int_get(&held.refcount) != 1 ||
        g_atomic_int_get(&held.lockstate) != memory->lock_state || held.flags != memory->flags ||
        held.priv_uint != memory->memory_private || held.priv_pointer != buffer)
        return false;
    gpointer state = nullptr;
    if (gst_buffer_iterate_meta(buffer, &state)) {
        gst_buffer_foreach_meta(
            buffer,
            [](GstBuffer*, GstMeta** meta, gpointer) -> gboolean {
                if (!GST_META_FLAG_IS_SET(*meta, GST_META_FLAG_LOCKED)) *meta = nullptr;
                return TRUE;
            },
            nullptr);
        state = nullptr;
        if (gst_buffer_iterate_meta(buffer, &state)) return false;
    }
    return true;
}

// The last reference is gone: FALSE revives the buffer.
gboolean dispose(GstMiniObject* object) {
    GstBuffer* buffer = GST_BUFFER_CAST(object);
    if (gst_buffer_n_memory(buffer) != 1) return TRUE;
    GstMemory* held = gst_buffer_peek_memory(buffer, 0);
    if (held->allocator != allocator() || held->parent) return TRUE;
    ReceiveMemory* memory = cast(held);
    ReceivePool::Core& pool = *memory->pool;
    if (pool.bytes.load(std::memory_order_relaxed) > pool.max_bytes) return TRUE;
    g_atomic_int_set(&object->refcount, 1);
    if (reusable(buffer, memory) && pool.push(memory)) return FALSE;
    g_atomic_int_set(&object->refcount, 0);
    return TRUE;
}

}  // namespace

ReceivePool::ReceivePool(std::size_t max_bytes) : core_(new Core(max_bytes)) {}

ReceivePool::~ReceivePool() {
    for (Core::Stack& stack : core_->idle) {
        ReceiveMemory* memory = Core::memory_at(stack.top.exchange(Core::kClosed, std::memory_order_acq_rel));
        while (memory) {
            ReceiveMemory* next = memory->next;
            free_buffer(memory->buffer);
            memory = next;
        }
    }
    core_->release();
}

ReceivePool::Received ReceivePool::acquire(std::size_t size) {
    const unsigned size_class = class_of(size);
    if (ReceiveMemory* memory = core_->pop(size_class)) {
        memory->memory.offset = 0;
        memory->memory.size = size;
        GST_MINI_OBJECT_FLAGS(memory->buffer) = 0;
        return {memory->buffer, memory->data};
    }
    constexpr std::size_t kHead = (sizeof(ReceiveMemory) + kAlignment - 1) / kAlignment * kAlignment;
    const std::size_t room = class_size(size_class);
    core_->trim(room);
    void* block = std::aligned_alloc(kAlignment, kHead + room);
    if (!block) return {};
    auto* memory = ::new (block) ReceiveMemory{};
    memory->data = static_cast<std::byte*>(block) + kHead;
    memory->pool = core_;
    memory->size_class = size_class;
    core_->references.fetch_add(1, std::memory_order_relaxed);
    core_->bytes.fetch_add(room, std::memory_order_relaxed);
    gst_memory_init(&memory->memory, static_cast<GstMemoryFlags>(0), allocator(), nullptr, room,
                    kAlignment - 1, 0, size);
    GstBuffer* buffer = gst_buffer_new();
    gst_buffer_append_memory(buffer, &memory->memory);
    memory->buffer = buffer;
    memory->lock_state = g_atomic_int_get(&memory->memory.mini_object.lockstate);
    memory->flags = memory->memory.mini_object.flags;
    memory->buffer_private = GST_MINI_OBJECT_CAST(buffer)->priv_uint;
    memory->memory_private = memory->memory.mini_object.priv_uint;
    GST_MINI_OBJECT_FLAGS(buffer) = 0;
    GST_MINI_OBJECT_CAST(buffer)->dispose = dispose;
    return {buffer, memory->data};
}

std::size_t ReceivePool::bytes() const {
    return core_->bytes.load(std::memory_order_relaxed);
}

std::size_t ReceivePool::idle_bytes() const {
    std::size_t sum = 0;
    for (unsigned index = 0; index < kClasses; ++index)
        sum +=
            (core_->idle[index].top.load(std::memory_order_relaxed) >> Core::kCountShift) * class_size(index);
    return sum;
}

}  // namespace hawser::elements
