// What the leak sanitizer shall not blame on us.
#if defined(__SANITIZE_ADDRESS__)

// GLib's constructor makes a table of quarks, and lets it go unfreed when a larger one takes its place;
// GStreamer 1.22 forgets a value when it meets caps that it cannot read. Their frames are only seen with the
// slow unwinder.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {  // NOLINT
    return "fast_unwind_on_malloc=0";
}
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions() {  // NOLINT
    return "leak:call_init\nleak:gst_caps_from_string\n";
}

#endif
