"""OpenVINO's own form of an exported graph: fp32, fp16 or bf16 arithmetic, and int8 by NNCF."""
