//! Products for tests, with everything that a test does not care about filled in.

use souk::domain::catalog::insert::{NewImage, NewProduct, NewVariant};
use souk::entity::product::ProductStatus;
use souk::kernel::id::CategoryId;
use souk::kernel::text::slugify;

/// An active product with one variant: 19.99 USD, untracked.
pub(crate) fn product(name: &str) -> GoodsBuilder {
    let variant = variant([]).build();
    GoodsBuilder(NewProduct {
        slug: slugify(name, 200),
        name: name.to_owned(),
        description: String::new(),
        vendor: None,
        product_type: None,
        tags: Vec::new(),
        status: ProductStatus::Active,
        category_id: None,
        currency: "USD".parse().unwrap(),
        options: Vec::new(),
        images: Vec::new(),
        variants: vec![variant],
    })
}

/// A variant with these values of its product's options: 19.99 USD, untracked.
pub(crate) fn variant<const N: usize>(options: [&str; N]) -> VariantBuilder {
    let value = |index: usize| options.get(index).copied().unwrap_or_default().to_owned();
    VariantBuilder(NewVariant {
        sku: None,
        title: if N == 0 {
            "Default".to_owned()
        } else {
            options.join(" / ")
        },
        options: [value(0), value(1), value(2)],
        price: 1_999,
        compare_at_price: None,
        image: None,
        tracked: false,
        on_hand: 0,
        imported_on_hand: None,
    })
}

#[must_use]
#[derive(Clone)]
pub(crate) struct GoodsBuilder(NewProduct);

#[must_use]
#[derive(Clone)]
pub(crate) struct VariantBuilder(NewVariant);

impl GoodsBuilder {
    pub(crate) fn build(self) -> NewProduct {
        self.0
    }

    pub(crate) fn slug(mut self, slug: &str) -> Self {
        slug.clone_into(&mut self.0.slug);
        self
    }

    pub(crate) fn description(mut self, html: &str) -> Self {
        html.clone_into(&mut self.0.description);
        self
    }

    pub(crate) fn vendor(mut self, vendor: &str) -> Self {
        self.0.vendor = Some(vendor.to_owned());
        self
    }

    pub(crate) fn product_type(mut self, product_type: &str) -> Self {
        self.0.product_type = Some(product_type.to_owned());
        self
    }

    pub(crate) fn tags(mut self, tags: &[&str]) -> Self {
        self.0.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        self
    }

    pub(crate) fn status(mut self, status: ProductStatus) -> Self {
        self.0.status = status;
        self
    }

    pub(crate) fn category(mut self, category: CategoryId) -> Self {
        self.0.category_id = Some(category);
        self
    }

    pub(crate) fn images(mut self, urls: &[&str]) -> Self {
        self.0.images = urls
            .iter()
            .map(|url| NewImage {
                url: (*url).to_owned(),
                alt_text: None,
            })
            .collect();
        self
    }

    /// The price of every variant so far, in cents.
    pub(crate) fn price(mut self, cents: i64) -> Self {
        self.0
            .variants
            .iter_mut()
            .for_each(|variant| variant.price = cents);
        self
    }

    /// The counted stock of every variant so far.
    pub(crate) fn stock(mut self, on_hand: i64) -> Self {
        for variant in &mut self.0.variants {
            (variant.tracked, variant.on_hand) = (true, on_hand);
        }
        self
    }

    /// Options by name, and the variants in place of the one that every product starts with.
    pub(crate) fn variants<const N: usize>(
        mut self,
        options: [&str; N],
        variants: Vec<VariantBuilder>,
    ) -> Self {
        self.0.options = options.map(str::to_owned).to_vec();
        self.0.variants = variants.into_iter().map(VariantBuilder::build).collect();
        self
    }
}

impl VariantBuilder {
    fn build(self) -> NewVariant {
        self.0
    }

    pub(crate) fn sku(mut self, sku: &str) -> Self {
        self.0.sku = Some(sku.to_owned());
        self
    }

    pub(crate) fn price(mut self, cents: i64) -> Self {
        self.0.price = cents;
        self
    }

    pub(crate) fn compare_at(mut self, cents: i64) -> Self {
        self.0.compare_at_price = Some(cents);
        self
    }

    pub(crate) fn stock(mut self, on_hand: i64) -> Self {
        (self.0.tracked, self.0.on_hand) = (true, on_hand);
        self
    }

    /// One of the product's images, from 0.
    pub(crate) fn image(mut self, index: usize) -> Self {
        self.0.image = Some(index);
        self
    }
}
