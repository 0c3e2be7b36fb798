//! What the files of the Natural Scenes Dataset mean.
