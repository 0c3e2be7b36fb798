//! COCO annotations joined to NSD's images.
