// What a host loads when it is first needed, loaded from the beginning: for a host inside another program, which may have no
// descriptor left by then to read it with. Node never tries again to load what it could not.
import './drain.js';
import './metrics/metrics-listener.js';
import './metrics/open-endpoints.js';
import './tls-options.js';
