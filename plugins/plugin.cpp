// Registration only: see elements/.
#include <gst/gst.h>

#include "elements/hawserqueue.h"
#include "elements/hawsersink.h"
#include "elements/hawsersrc.h"

#define PACKAGE "hawser"

static gboolean plugin_init(GstPlugin* plugin) {
    const gboolean src = GST_ELEMENT_REGISTER(hawsersrc, plugin);
    const gboolean sink = GST_ELEMENT_REGISTER(hawsersink, plugin);
    const gboolean queue = GST_ELEMENT_REGISTER(hawserqueue, plugin);
    return src && sink && queue;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, hawser,
                  "Keeps media moving between pipelines, whatever breaks between them", plugin_init,
                  HAWSER_VERSION, "LGPL", "Hawser", HAWSER_ORIGIN)
