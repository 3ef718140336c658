//! The goods are what the database takes, and there is something of everything among them.

use std::collections::{HashMap, HashSet};

use super::goods::Catalog;
use crate::domain::catalog::description::sanitise;
use crate::domain::catalog::insert::{NewProduct, NewVariant};
use crate::entity::product::ProductStatus;
use crate::kernel::id::CategoryId;
use crate::kernel::text::slugify;

fn products(currency: &str) -> Vec<NewProduct> {
    let catalog = Catalog::read().unwrap();
    let shelves = catalog
        .shelves()
        .iter()
        .map(|shelf| (shelf.slug, CategoryId::new()))
        .collect();
    catalog.products(&shelves, currency.parse().unwrap()).unwrap()
}

fn unique<T: std::hash::Hash + Eq + std::fmt::Debug>(things: impl IntoIterator<Item = T>) {
    let mut seen = HashSet::new();
    for thing in things {
        let text = format!("{thing:?}");
        assert!(seen.insert(thing), "{text} is there twice");
    }
}

#[test]
fn the_shop_has_something_of_everything() {
    let products = products("USD");
    let some = |what: &str, test: &dyn Fn(&NewProduct) -> bool| assert!(products.iter().any(test), "{what}");
    let variant = |what: &str, test: &dyn Fn(&NewVariant) -> bool| {
        assert!(
            products.iter().flat_map(|product| &product.variants).any(test),
            "{what}"
        );
    };
    assert!((30..40).contains(&products.len()), "{}", products.len());
    for status in [ProductStatus::Draft, ProductStatus::Archived] {
        assert_eq!(
            products.iter().filter(|product| product.status == status).count(),
            1,
            "{status:?}"
        );
    }
    for options in 0..=3 {
        some("each number of options", &|product| {
            product.options.len() == options
        });
    }
    some("twelve variants", &|product| product.variants.len() == 12);
    some("several images", &|product| product.images.len() > 2);
    some("an accent", &|product| product.name.starts_with('É'));
    some("sold out", &|product| {
        product.status == ProductStatus::Active
            && product.variants.iter().all(|v| v.tracked && v.on_hand == 0)
    });
    some("made to order", &|product| {
        product.variants.iter().all(|v| !v.tracked)
    });
    some("a range of prices", &|product| {
        product
            .variants
            .iter()
            .map(|v| v.price)
            .collect::<HashSet<_>>()
            .len()
            > 3
    });
    variant("reduced", &|v| v.compare_at_price.is_some());
    variant("without a SKU", &|v| v.sku.is_none());
    variant("with an image", &|v| v.image.is_some());
}

#[test]
fn shelves_stand_three_deep_in_order_and_none_is_bare() {
    let catalog = Catalog::read().unwrap();
    let shelves = catalog.shelves();
    unique(shelves.iter().map(|shelf| shelf.slug));
    unique(shelves.iter().map(|shelf| (shelf.parent, shelf.name)));
    let mut depths: HashMap<&str, usize> = HashMap::new();
    for shelf in &shelves {
        assert_eq!(slugify(shelf.slug, 255), shelf.slug);
        assert!((1..=255).contains(&shelf.name.chars().count()), "{}", shelf.slug);
        depths.insert(shelf.slug, shelf.parent.map_or(1, |parent| depths[parent] + 1));
        let is_leaf = shelves.iter().all(|other| other.parent != Some(shelf.slug));
        let is_used = catalog
            .products
            .iter()
            .any(|product| product.category == shelf.slug);
        assert_eq!(
            is_leaf, is_used,
            "{}: goods lie on the lowest shelves",
            shelf.slug
        );
    }
    assert_eq!(depths.values().max(), Some(&3));
}

#[test]
fn nothing_is_there_twice() {
    let products = products("USD");
    unique(products.iter().map(|product| &product.slug));
    unique(products.iter().map(|product| &product.name));
    unique(
        products
            .iter()
            .flat_map(|product| &product.variants)
            .filter_map(|variant| variant.sku.as_deref()),
    );
    for product in &products {
        unique(&product.tags);
        unique(&product.options);
        unique(product.images.iter().map(|image| &image.url));
        unique(product.variants.iter().map(|variant| &variant.options));
    }
}

#[test]
fn the_database_has_room_for_all_of_it() {
    let fits = |text: &str, max: usize| assert!((1..=max).contains(&text.chars().count()), "{text:?}");
    for product in products("USD") {
        assert_eq!(slugify(&product.slug, 255), product.slug);
        fits(&product.name, 255);
        fits(product.vendor.as_deref().unwrap(), 255);
        fits(product.product_type.as_deref().unwrap(), 255);
        assert!(product.options.len() <= 3 && !product.images.is_empty() && !product.tags.is_empty());
        product
            .tags
            .iter()
            .chain(&product.options)
            .for_each(|text| fits(text, 255));
        for image in &product.images {
            fits(&image.url, 2048);
            assert!(
                image.url.starts_with("https://")
                    && url::Url::parse(&image.url).unwrap().as_str() == image.url
            );
            fits(image.alt_text.as_deref().unwrap(), 1000);
        }
        assert!((1..=12).contains(&product.variants.len()));
        for variant in &product.variants {
            let (values, beyond) = variant.options.split_at(product.options.len());
            values.iter().for_each(|value| fits(value, 255));
            assert!(
                beyond.iter().all(String::is_empty),
                "{}: {:?}",
                product.slug,
                variant.options
            );
            fits(&variant.title, 800);
            variant.sku.iter().for_each(|sku| fits(sku, 255));
            assert!(variant.image.is_none_or(|index| index < product.images.len()));
            assert!((0..=i64::from(i32::MAX)).contains(&variant.on_hand));
        }
    }
}

#[test]
fn descriptions_are_clean_as_they_are_written() {
    for product in &Catalog::read().unwrap().products {
        assert_eq!(sanitise(&product.description), product.description);
        assert!(product.description.starts_with("<p>"), "{}", product.slug);
    }
}

#[test]
fn prices_are_in_the_currency_of_the_shop() {
    let lamp = |currency: &str| {
        let products = products(currency);
        let lamp = products
            .iter()
            .find(|product| product.slug == "fes-blue-oil-lamp")
            .unwrap();
        assert_eq!(lamp.currency.code(), currency);
        lamp.variants[0].price
    };
    assert_eq!((lamp("USD"), lamp("KWD")), (2_750, 27_500));
    assert_eq!(lamp("JPY"), 28, "rounded up to what the currency has");
}

#[test]
fn what_is_reduced_was_dearer_in_every_currency() {
    for currency in ["USD", "JPY", "KWD"] {
        for variant in products(currency).iter().flat_map(|product| &product.variants) {
            assert!(variant.price > 0);
            assert!(
                variant
                    .compare_at_price
                    .is_none_or(|before| before > variant.price),
                "{:?}",
                variant.sku
            );
        }
    }
}
