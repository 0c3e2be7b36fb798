//! Sizes of networks and lengths of training that fit imported data, written as a settings file of the subject.
//!
//! The paper's are made for 9,000 photographs and weeks of a GPU. Every command takes those of the file where nothing else is
//! configured: they are open to be read, changed and left out.

use crate::data::subject::SubjectId;

/// With fewer pictures the smallest networks learn as much.
const SMALL: usize = 1000;
/// With so many pictures, as many as a subject of NSD has, a GPU takes the paper's networks.
const AS_NSD: usize = 5000;
/// Pictures of at most so many pixels are drawn at 32.
const SMALL_SIDE: usize = 32;

/// What sizes follow from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FittingSizes {
    /// Distinct pictures.
    pub num_images: usize,
    /// Their edge in pixels.
    pub image_side: usize,
    /// Whether a GPU computes.
    pub has_gpu: bool,
}

impl FittingSizes {
    /// Edge of drawn pictures in pixels, 32 or 64; none where the paper's networks are in place.
    fn drawn_side(self) -> Option<usize> {
        let is_papers = self.has_gpu && self.num_images >= AS_NSD && self.image_side > SMALL_SIDE;
        let is_small = self.num_images < SMALL || self.image_side <= SMALL_SIDE;
        (!is_papers).then_some(if is_small { 32 } else { 64 })
    }

    /// What was scaled, in words.
    pub fn words(self) -> String {
        let Self { num_images, image_side, has_gpu } = self;
        let device = if has_gpu { "a GPU" } else { "the CPU" };
        let data = format!("{num_images} pictures of {image_side} pixels on {device}");
        match self.drawn_side() {
            None => format!("the paper's networks and lengths of training, for {data}"),
            Some(side) => format!(
                "networks and lengths of training for {data}: a CLIP of {side} pixels, {} epochs; a GAN of {side} x {side} pixels, {} + {} \
                 thousand pictures (the paper: 256 x 256 pixels, 25,000 thousand)",
                self.epochs(),
                self.pretraining(side),
                self.finetuning(side)
            ),
        }
    }

    /// Epochs of a CLIP of one's own.
    fn epochs(self) -> usize {
        if self.num_images < SMALL { 40 } else { (20_000 / self.num_images).clamp(8, 20) }
    }

    /// Thousands of pictures that the GAN is pretrained with.
    fn pretraining(self, side: usize) -> usize {
        let of_thousand_images = if side == 32 { 60 } else { 28 };
        (self.num_images * of_thousand_images / 1000).clamp(6, 280)
    }

    /// Thousands of pictures that it is finetuned with.
    fn finetuning(self, side: usize) -> usize {
        (2 * self.pretraining(side) / 3).clamp(4, 40)
    }

    /// The settings file.
    pub fn text(self, subject: SubjectId) -> String {
        let head = format!(
            "# {subject}: {}.\n\
             # Written by `mindreader import`. Every command for this subject takes these settings where nothing else is said: flags and\n\
             # `--set` win key by key; of a section that `--config FILE` or `mindreader.toml` has, nothing here is read.\n",
            self.words()
        );
        match self.drawn_side() {
            None => head,
            Some(side) => head + &self.sections(side),
        }
    }

    fn sections(self, side: usize) -> String {
        let epochs = self.epochs();
        let batch = if self.num_images < SMALL { 16 } else { 64 };
        let (patch, layers, width) = if side == 32 { (8, 2, 64) } else { (16, 3, 96) };
        let (text_layers, embed) = if side == 32 { (1, 32) } else { (2, 64) };
        let (channel_base, channel_max) = if side == 32 { (512, 32) } else { (1024, 64) };
        let (pretraining, finetuning) = (self.pretraining(side), self.finetuning(side));
        let tick = |thousands: usize| thousands.div_ceil(20);
        let (pretraining_tick, finetuning_tick) = (tick(pretraining), tick(finetuning));
        format!(
            "\n\
             # The CLIP that is trained on pictures and captions, unless one is named with `--clip FILE`.\n\
             [pretrain_clip.network]\nimage_size = {side}\npatch_size = {patch}\nvision_width = {width}\nvision_layers = {layers}\n\
             vision_heads = 4\ntext_width = {embed}\ntext_layers = {text_layers}\ntext_heads = 2\nembed_dim = {embed}\n\n\
             [pretrain_clip.train]\nepochs = {epochs}\nbatch_size = {batch}\nlearning_rate = 1e-3\nwarmup_steps = 20\n\n\
             # Pictures go straight to the CLIP's size.\n\
             [train_mapper]\nresize_chain = \"direct\"\n\n\
             [train_mapper.augment]\nprobability = 0.0\n\n\
             # For `--kind paper`.\n\
             [train_mapper.network]\nfc = 64\nnum_blocks = 1\n\n\
             [train_mapper.train]\n\
             phase1 = {{ loss = \"mse-cos\", epochs = 12, batch = 16 }}\n\
             phase2 = {{ loss = \"mse-cos-contrastive\", epochs = 4, batch = 32 }}\n\n\
             # What all pictures of a small set have in common is taken off before they are compared.\n\
             [evaluate]\nridge = true\ncentre = \"training-mean\"\n\n\
             [pretrain_gan.network]\nz_dim = 64\nw_dim = 64\ncode_dim = 64\nmapping_layers = 2\nresolution = {side}\n\
             channel_base = {channel_base}\nchannel_max = {channel_max}\n\n\
             # Small batches and a faster rate than the paper's: with few pictures to be shown, steps count.\n\
             [pretrain_gan.train]\ntotal_kimg = {pretraining}\nbatch_size = 8\nlearning_rate = 0.01\nr1_gamma = 0.5\n\
             tick_kimg = {pretraining_tick}\n\
             loss = {{ clip_condition_weight = 1.0, semantic_condition_weight = 1.0 }}\n\
             crop = {{ small_images = \"enlarge\" }}\n\n\
             [finetune_gan.train]\ntotal_kimg = {finetuning}\nbatch_size = 8\nlearning_rate = 0.002\n\
             learning_rate_decay = {{ share = 0.5, factor = 0.1 }}\nr1_gamma = 0.5\nstyle_mixing_probability = 0.0\n\
             tick_kimg = {finetuning_tick}\npath_length = {{ weight = 0.0 }}\n\
             loss = {{ clip_condition_weight = 4.0, semantic_condition_weight = 2.0 }}\n\
             crop = {{ small_images = \"enlarge\" }}\n\n\
             [finetune_gan.snapshots]\nfrechet_ticks = 0\n\n\
             [reconstruct]\nsamples = 2\ngrid_side = {}\n",
            2 * side
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::config::ProjectConfig;

    fn of(num_images: usize, image_side: usize, has_gpu: bool) -> (ProjectConfig, String) {
        let sizes = FittingSizes { num_images, image_side, has_gpu };
        let text = sizes.text("lab".parse().unwrap());
        let config: ProjectConfig = toml::from_str(&text).unwrap();
        config.validate().unwrap();
        (config, text)
    }

    #[test]
    fn a_hundred_small_pictures_have_the_sizes_that_the_digits_were_tried_with() {
        let (found, text) = of(100, 28, false);
        let digits: ProjectConfig = toml::from_str(include_str!("../../../configs/digits69.toml")).unwrap();
        assert_eq!(found.pretrain_clip, digits.pretrain_clip);
        assert_eq!(found.pretrain_gan, digits.pretrain_gan);
        assert_eq!(found.finetune_gan, digits.finetune_gan);
        assert_eq!(found.train_mapper, digits.train_mapper);
        assert_eq!((found.evaluate, found.reconstruct), (digits.evaluate, digits.reconstruct));
        assert!(
            text.starts_with(
                "# lab: networks and lengths of training for 100 pictures of 28 pixels on the CPU"
            )
        );
        assert!(text.lines().all(|line| line.chars().count() < 320), "{text}");
    }

    #[test]
    fn more_pictures_have_larger_networks_and_as_many_as_nsds_on_a_gpu_the_papers() {
        let sides = |images, side, has_gpu| of(images, side, has_gpu).0.pretrain_gan.network.resolution;
        assert_eq!([sides(999, 425, false), sides(1000, 425, false), sides(9000, 28, true)], [32, 64, 32]);
        let (many, _) = of(9000, 425, false);
        assert_eq!((many.pretrain_gan.train.total_kimg, many.finetune_gan.train.total_kimg), (252.0, 40.0));
        assert_eq!(many.pretrain_clip.train.epochs, 8);
        let (papers, text) = of(9000, 425, true);
        assert_eq!(papers, ProjectConfig::default());
        assert!(text.contains("the paper's networks"), "{text}");
    }
}
