"""mend-the-loss: the loss of a VAE whose std was cut from the graph, mended. Its value was right, its gradient not."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from course_utils.checks._check import Check, Mistake
from course_utils.models.vae import VAE


def parts(vae, x, eps, std=lambda s: torch.exp(0.5 * s), centre=lambda mu: mu, noise=1.0):
    """Reconstruction and KL term of each image, (B,), for another std, made of logvar, or another centre, of mu."""
    mu, logvar = vae.posterior(x)
    x_logits = vae.decode_logits(centre(mu) + noise * std(logvar) * eps)
    recon = binary_cross_entropy_with_logits(x_logits, x, reduction="none").sum(dim=(1, 2, 3))
    return recon, 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(dim=1)


def mended_loss(vae, x, eps):
    recon, kl = parts(vae, x, eps)
    return (recon + kl).mean()


def batch(rows, latent_dim, shape):
    """A small VAE whose two heads are far from 0, images and noise; everything from the generator."""

    def inputs(g):
        vae = VAE(latent_dim, hidden=6, image_shape=shape)
        for p in vae.parameters():
            p.data = 0.4 * torch.randn(p.shape, generator=g)
        return vae, torch.rand(rows, *shape, generator=g), torch.randn(rows, latent_dim, generator=g)

    return inputs


def loss_is(combine, **changes):
    """A wrong answer that puts the two terms together in another way, or changes one of their parts."""
    return lambda vae, x, eps: combine(*parts(vae, x, eps, **changes))


def added(recon, kl):
    return (recon + kl).mean()


def kl_is(kl):
    """A wrong answer whose KL term, from mu and logvar, (B,), is another one."""
    return lambda vae, x, eps: (parts(vae, x, eps)[0] + kl(*vae.posterior(x))).mean()


def of_shape(combine):
    """A wrong answer for which the number of pixels counts."""
    return lambda vae, x, eps: combine(*parts(vae, x, eps), x[0].numel())


CUT = lambda s: torch.exp(0.5 * s).detach()  # noqa: E731

CHECK = Check(
    mended_loss,
    inputs={"": batch(7, 2, (1, 4, 3)), "a code has three numbers": batch(5, 3, (1, 3, 5)),
            "there is one image": batch(1, 2, (1, 3, 2))},
    gradients=("vae",),
    mistakes=[
        Mistake(loss_is(added, std=CUT), "Its value is right, but std is still cut from the graph: the encoder never "
            "hears that a narrower cloud would restore better. On the way from logvar to z, which step keeps the "
            "numbers and drops their history?"),
        Mistake(loss_is(added, std=CUT, centre=torch.detach), "Now the reconstruction term reaches neither mu nor "
            "logvar. It should reach both."),
        Mistake(loss_is(added, centre=torch.detach), "std is on the graph now, but mu is cut off. The reconstruction "
            "term should reach both."),
        Mistake(loss_is(added, noise=0.0), "You have removed the noise: then nothing asks for a width at all, and it "
            "is an autoencoder with a price. The noise was not the fault."),
        Mistake(loss_is(added, std=torch.exp), "std is now exp(logvar), which is the variance. Keep the half."),
        Mistake(loss_is(added, std=lambda s: torch.exp(-0.5 * s)), "std is now 1 / sigma. Which sign has the "
            "exponent?"),
        Mistake(loss_is(added, std=torch.clone), "std is now logvar itself. What undoes the logarithm?"),
        Mistake(loss_is(added, std=torch.ones_like), "std is now 1, whatever logvar says. That is the symptom, not its "
            "mend."),
        Mistake(loss_is(added, std=lambda s: torch.exp(0.5 * s).clamp(max=0.5)), "You limit std. Then it no longer "
            "follows logvar: the symptom is gone and its cause is not."),
        Mistake(loss_is(lambda recon, kl: recon.mean()), "The KL term is gone. It holds the clouds together; it was "
            "not the fault."),
        Mistake(loss_is(lambda recon, kl: kl.mean()), "The reconstruction term is gone. It was not the fault."),
        Mistake(loss_is(lambda recon, kl: (recon - kl).mean()), "The KL term has the wrong sign now: minimising would "
            "make it large."),
        Mistake(loss_is(lambda recon, kl: (recon + 0.5 * kl).mean()), "You halve the KL term. The weight was right."),
        Mistake(loss_is(lambda recon, kl: (recon + 0.1 * kl).mean()), "You make the KL term ten times cheaper. The "
            "weight was right."),
        Mistake(loss_is(lambda recon, kl: (recon + kl).sum()), "You sum over the batch. The mean was right."),
        Mistake(of_shape(lambda recon, kl, pixels: (recon / pixels + kl).mean()), "You average the reconstruction term "
            "over the pixels, which makes the KL term far too heavy. The sum was right."),
        Mistake(kl_is(lambda mu, s: 0.5 * (s.exp() + mu**2 - 1 - s).mean(dim=1)), "You average the KL term over the "
            "dimensions of a code. The sum was right."),
        Mistake(kl_is(lambda mu, s: 0.5 * (s.exp().detach() + mu**2 - 1 - s.detach()).sum(dim=1)), "Now the KL term "
            "does not reach logvar, and nothing stops the clouds from shrinking to points. The KL term was right as it "
            "was."),
        Mistake(lambda vae, x, eps: (parts(vae, x, eps, std=CUT)[0] + 0.5 * (
                    lambda mu, s: (s.exp().detach() + mu**2 - 1 - s.detach()).sum(dim=1))(*vae.posterior(x))).mean(),
            "Nothing reaches logvar any more, so the widths stay as they began. Which of the two terms should tell the "
            "encoder to be precise?"),
        Mistake(kl_is(lambda mu, s: 0.5 * (torch.exp(0.5 * s) + mu**2 - 1 - 0.5 * s).sum(dim=1)), "Your KL term now "
            "takes logvar for twice what it is. It was right as it was."),
        Mistake(loss_is(lambda recon, kl: (recon + kl).mean().detach()), "Your loss has no gradient at all."),
        Mistake(loss_is(lambda recon, kl: recon + kl), "You return one number for each image. A loss is one number."),
        Mistake(loss_is(lambda recon, kl: (recon.mean(), kl.mean())), "You return the two terms. Return their sum, one "
            "number."),
        Mistake(lambda vae, x, eps: mended_loss(vae, x, torch.randn_like(eps)), "You draw noise of your own. Use the "
            "eps that was given: the training draws it."),
        Mistake(lambda vae, x, eps: mended_loss(vae, x, torch.rand_like(eps)), "You draw noise of your own, and it is "
            "uniform. Use the eps that was given."),
    ],
)  # fmt: skip
