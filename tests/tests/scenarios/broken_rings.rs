//! Broken and hostile shared memory.
