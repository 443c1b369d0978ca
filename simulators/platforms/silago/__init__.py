"""SiLago (Hemani et al.): DRRA cells under a DiMArch of memory tiles."""
