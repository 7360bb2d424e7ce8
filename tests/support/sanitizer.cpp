// What the leak sanitizer shall not blame on us.
#if defined(__SANITIZE_ADDRESS__)

// GLib's constructor makes a table of quarks, and lets it go unfreed when a larger one takes its place. Its
// frames are only seen with the slow unwinder.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {  // NOLINT
    return "fast_unwind_on_malloc=0";
}
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions() {  // NOLINT
    return "leak:call_init\n";
}

#endif
