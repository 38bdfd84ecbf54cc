"""`SDL`: the part of Magento 2.4's GraphQL schema that the sandbox shop answers.

Every type, field and argument has the name and type it has there.
"""

_PRODUCT_FIELDS = """
  id: Int uid: ID! sku: String name: String type_id: String url_key: String url_suffix: String
  stock_status: ProductStockStatus only_x_left_in_stock: Float price_range: PriceRange!
  short_description: ComplexTextValue description: ComplexTextValue image: ProductImage
  categories: [CategoryInterface] special_price: Float special_from_date: String special_to_date: String
"""

SDL = """
type Query {
  products(search: String, filter: ProductAttributeFilterInput, pageSize: Int = 20, currentPage: Int = 1,
    sort: ProductAttributeSortInput): Products
  storeConfig: StoreConfig
  availableStores(useCurrentGroup: Boolean): [StoreConfig]
  currency: Currency
}
type Products { items: [ProductInterface] page_info: SearchResultPageInfo total_count: Int }
type SearchResultPageInfo { current_page: Int page_size: Int total_pages: Int }
input ProductAttributeFilterInput {
  sku: FilterEqualTypeInput
  url_key: FilterEqualTypeInput
  category_id: FilterEqualTypeInput
  name: FilterMatchTypeInput
  price: FilterRangeTypeInput
}
input FilterEqualTypeInput { eq: String in: [String] }
input FilterMatchTypeInput { match: String }
input FilterRangeTypeInput { from: String to: String }
input ProductAttributeSortInput { name: SortEnum price: SortEnum position: SortEnum relevance: SortEnum }
enum SortEnum { ASC DESC }
enum ProductStockStatus { IN_STOCK OUT_OF_STOCK }
enum CurrencyEnum { USD EUR GBP CHF }
type Money { currency: CurrencyEnum value: Float }
type ProductDiscount { amount_off: Float percent_off: Float }
type ProductPrice { discount: ProductDiscount final_price: Money! regular_price: Money! }
type PriceRange { maximum_price: ProductPrice minimum_price: ProductPrice! }
type ComplexTextValue { html: String! }
type ProductImage { disabled: Boolean label: String position: Int url: String }
interface CategoryInterface { id: Int uid: ID! name: String level: Int }
type CategoryTree implements CategoryInterface { id: Int uid: ID! name: String level: Int }
interface ProductInterface { PRODUCT_FIELDS }
type SimpleProduct implements ProductInterface { PRODUCT_FIELDS weight: Float }
type VirtualProduct implements ProductInterface { PRODUCT_FIELDS }
type ConfigurableProduct implements ProductInterface {
  PRODUCT_FIELDS
  weight: Float
  variants: [ConfigurableVariant]
  configurable_options: [ConfigurableProductOptions]
}
type ConfigurableVariant { attributes: [ConfigurableAttributeOption] product: SimpleProduct }
type ConfigurableAttributeOption { code: String label: String uid: ID! value_index: Int }
type ConfigurableProductOptions {
  id: Int uid: ID! attribute_id: String attribute_code: String attribute_uid: ID! label: String position: Int
  product_id: Int use_default: Boolean values: [ConfigurableProductOptionsValues]
}
type ConfigurableProductOptionsValues {
  uid: ID label: String default_label: String store_label: String use_default_value: Boolean value_index: Int
}
type StoreConfig {
  id: Int code: String store_code: ID store_name: String store_group_code: ID website_id: Int website_code: ID
  website_name: String is_default_store: Boolean locale: String timezone: String weight_unit: String
  base_currency_code: String default_display_currency_code: String base_url: String base_link_url: String
  secure_base_url: String secure_base_link_url: String base_media_url: String secure_base_media_url: String
  product_url_suffix: String category_url_suffix: String
}
type Currency {
  available_currency_codes: [String] base_currency_code: String default_display_currency_code: String
  exchange_rates: [ExchangeRate]
}
type ExchangeRate { currency_to: String rate: Float }
""".replace("PRODUCT_FIELDS", _PRODUCT_FIELDS)
