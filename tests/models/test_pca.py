"""PCA against scikit-learn."""

import math

import pytest
import torch
from helpers import generator
from sklearn.decomposition import PCA as ReferencePCA
from small_models import SHAPE, images

from course_utils.data import ImageSet
from course_utils.models.pca import PCA


class TestPCA:
    @pytest.fixture
    def fitted(self):
        """Data whose variance differs strongly by direction, so that components are well defined."""
        factors = torch.randn(60, 6, generator=generator(1)) * torch.tensor([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
        x = factors @ torch.randn(6, math.prod(SHAPE), generator=generator(2)) + 0.3 * torch.randn(
            60, math.prod(SHAPE), generator=generator(3)
        )
        x = ((x - x.min()) / (x.max() - x.min())).unflatten(1, SHAPE)
        reference = ReferencePCA(4, svd_solver="full").fit(x.flatten(1).double().numpy())
        return PCA(4).fit(x), reference, x

    def test_equals_scikit_learn(self, fitted):
        pca, reference, x = fitted
        close = {"atol": 2e-4, "rtol": 1e-3}
        components = torch.from_numpy(reference.components_)
        signs = (components * pca.components).sum(1, keepdim=True).sign()
        torch.testing.assert_close(pca.components.double(), components * signs, **close)
        torch.testing.assert_close(pca.mean.double(), torch.from_numpy(reference.mean_), **close)
        for name in ("explained_variance", "explained_variance_ratio"):
            torch.testing.assert_close(
                getattr(pca, name).double(), torch.from_numpy(getattr(reference, name + "_")), **close
            )
        codes = torch.from_numpy(reference.transform(x.flatten(1).double().numpy()))
        torch.testing.assert_close(pca.encode(x).double(), codes * signs.T, **close)
        back = torch.from_numpy(reference.inverse_transform(codes.numpy())).clamp(0, 1).unflatten(1, SHAPE)
        torch.testing.assert_close(pca.decode(pca.encode(x)).double(), back, **close)

    def test_components_are_orthonormal_and_their_sign_is_fixed(self, fitted):
        pca, _, x = fitted
        torch.testing.assert_close(pca.components @ pca.components.T, torch.eye(4), atol=1e-5, rtol=0)
        assert (pca.components.gather(1, pca.components.abs().argmax(1, keepdim=True)) > 0).all()
        assert (pca.explained_variance.diff() <= 0).all()
        flipped = PCA(4).fit(x.flip(0))
        torch.testing.assert_close(flipped.components, pca.components, atol=1e-3, rtol=1e-3)

    def test_explained_variance_is_that_of_the_codes(self, fitted):
        pca, _, x = fitted
        z = pca.encode(x)
        torch.testing.assert_close(z.var(dim=0), pca.explained_variance, rtol=1e-3, atol=1e-6)
        torch.testing.assert_close(z.mean(dim=0), torch.zeros(4), atol=1e-4, rtol=0)
        total = x.flatten(1).var(dim=0).sum()
        torch.testing.assert_close(pca.explained_variance / total, pca.explained_variance_ratio, rtol=1e-3, atol=1e-6)

    def test_reconstructing_with_fewer_components(self, fitted):
        pca, _, x = fitted
        errors = [(pca.reconstruct(x, k) - x).square().mean().item() for k in range(5)]
        assert errors == sorted(errors, reverse=True)
        assert errors[4] < 0.5 * errors[0]
        torch.testing.assert_close(
            pca.reconstruct(x[:2], 0), pca.mean.unflatten(0, SHAPE).expand(2, *SHAPE).clamp(0, 1)
        )
        torch.testing.assert_close(pca.reconstruct(x, 4), pca.decode(pca.encode(x)))
        for k in (-1, 5):
            with pytest.raises(ValueError, match=f"num_components is {k}: use 0 to 4"):
                pca.reconstruct(x, k)

    def test_all_components_lose_nothing(self):
        x = images(6)
        pca = PCA(6).fit(x)
        torch.testing.assert_close(pca.decode(pca.encode(x)), x, atol=1e-4, rtol=0)
        assert pca.explained_variance_ratio.sum().item() == pytest.approx(1, abs=1e-5)

    def test_bytes_sets_and_floats_give_the_same(self):
        x = (images(20) * 255).to(torch.uint8)
        labels = torch.zeros(20, dtype=torch.int64)
        first, *others = (PCA(2).fit(v) for v in (x, x.float() / 255, ImageSet(x, labels, ("a",))))
        for other in others:
            torch.testing.assert_close(other.components, first.components, atol=1e-4, rtol=1e-3)

    def test_samples_have_the_datas_variances(self, fitted):
        pca = fitted[0]
        z = pca.sample_latent(40_000, generator())
        assert ((z.var(0) / pca.explained_variance - 1).abs() < 4.5 * math.sqrt(2 / 40_000)).all()
        assert (z.mean(0).abs() < 4.5 * pca.explained_variance.sqrt() / 200).all()

    def test_bad_input(self):
        with pytest.raises(ValueError, match="latent_dim is 0"):
            PCA(0)
        for call in (lambda p: p.encode(images()), lambda p: p.decode(torch.zeros(1, 2)), lambda p: p.sample_latent(1)):
            with pytest.raises(RuntimeError, match=r"no components yet: call fit\(images\) first"):
                call(PCA(2))
        for n in (0, 1):
            with pytest.raises(ValueError, match=f"PCA needs at least 2 images, but there are {n}"):
                PCA(1).fit(images(n))
        with pytest.raises(ValueError, match=r"latent_dim is 6, but \(5, 2, 8, 12\) allows at most 5"):
            PCA(6).fit(images())
        with pytest.raises(ValueError, match=r"images reach from 0.* to 25\d"):
            PCA(2).fit((images() * 255).round().clamp(0, 255))
        with pytest.raises(TypeError, match="images are torch.int64"):
            PCA(2).fit((images() * 255).long())
        with pytest.raises(TypeError, match="images must be an ImageSet or a torch tensor, not ndarray"):
            PCA(2).fit(images().numpy())


def test_images_that_are_all_the_same_have_no_direction():
    with pytest.raises(ValueError, match="all 4 images are the same: there is no direction"):
        PCA(2).fit(torch.full((4, 1, 2, 3), 0.5))


def test_16_bits_are_fitted_in_float32():
    x = torch.rand(20, 1, 2, 3, generator=torch.Generator().manual_seed(0)).half()
    assert torch.equal(PCA(2).fit(x).components, PCA(2).fit(x.float()).components)
