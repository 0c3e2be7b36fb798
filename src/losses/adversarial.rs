//! Non-saturating logistic losses of the GAN.
