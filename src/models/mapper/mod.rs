//! The residual Conv1D mapper from betas to an embedding (`reference/mapper.md`).
