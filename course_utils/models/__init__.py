"""The models of the course, one family a file, each a LatentModel: ``from course_utils.models.vae import VAE``."""
